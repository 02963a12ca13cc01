package dev.panatune.quant;

import dev.panatune.error.FormatException;
import dev.panatune.error.Suggestion;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Puts a quantised weight together from the tensors of a checkpoint, which may be wrong. */
final class StateDictReader {
  private static final double TABLE_TOLERANCE = 1e-4;

  private final String name;
  private final Map<String, Tensor> tensors;

  StateDictReader(String name, Map<String, Tensor> tensors) {
    this.name = name;
    this.tensors = tensors;
  }

  QuantizedTensor read(DType computeDtype) {
    try (TensorScope _ = TensorScope.open()) {
      QuantState state = state();
      long elements = Arrays.stream(state.shape()).reduce(1, (a, b) -> a * b);
      long blocks = Math.ceilDiv(elements, state.blockSize());
      boolean nested = state.nestedOffset().isPresent();
      Tensor absmax = flat(".absmax", nested ? DType.UINT8 : DType.FLOAT32, blocks);
      QuantConfig config =
          new QuantConfig(state.type(), state.blockSize(), nested, computeDtype, List.of());
      return new QuantizedTensor(
          config,
          state.shape(),
          state.dtype(),
          packed(Math.ceilDiv(elements, 2)),
          absmax,
          table(state.type()).to(absmax.device()),
          nested ? nestedScales(state, blocks) : null);
    }
  }

  private QuantState state() {
    for (QuantType type : QuantType.values()) {
      String key = QuantState.key(name, type);
      if (tensors.containsKey(key)) {
        QuantState state = QuantState.parse(tensors.get(key).toBytes(), key);
        if (state.type() != type) {
          throw new FormatException(key + " describes a weight in " + state.type().id());
        }
        return state;
      }
    }
    throw new FormatException(
        "%s is not saved in 4 bits: there is no tensor %s"
            .formatted(name, QuantState.key(name, QuantType.NF4)));
  }

  /** The codes, which bitsandbytes can store under the name of any type. */
  private Tensor packed(long bytes) {
    Tensor stored = tensor("").contiguous();
    if (stored.byteSize() != bytes) {
      throw new FormatException(
          "%s has %d bytes of codes, but its quant_state describes %d"
              .formatted(name, stored.byteSize(), bytes));
    }
    return stored.reshape(-1).view(DType.UINT8).view(bytes, 1);
  }

  /**
   * Decoding always uses the type's own table, as in bitsandbytes: a checkpoint must not mean
   * another.
   */
  private Tensor table(QuantType type) {
    float[] expected = type.table();
    float[] stored = flat(".quant_map", DType.FLOAT32, expected.length).toFloats();
    for (int i = 0; i < expected.length; i++) {
      if (!(Math.abs(expected[i] - stored[i]) <= TABLE_TOLERANCE)) {
        throw new FormatException(
            "%s.quant_map is not the table of %s: value %d is %s, not %s"
                .formatted(name, type.id(), i, stored[i], expected[i]));
      }
    }
    return Codebooks.of(type);
  }

  private NestedScales nestedScales(QuantState state, long blocks) {
    Tensor absmax =
        flat(".nested_absmax", DType.FLOAT32, Math.ceilDiv(blocks, NestedScales.BLOCK_SIZE));
    Tensor code = flat(".nested_quant_map", DType.FLOAT32, NestedScales.CODES);
    double offset = state.nestedOffset().getAsDouble();
    return new NestedScales(code, absmax, Tensor.scalar(offset, DType.FLOAT32).to(absmax.device()));
  }

  private Tensor flat(String suffix, DType dtype, long elements) {
    Tensor stored = tensor(suffix);
    if (stored.dtype() != dtype || stored.numel() != elements) {
      throw new FormatException(
          "%s%s is %s %s, but the quant_state asks for %s [%d]"
              .formatted(
                  name,
                  suffix,
                  stored.dtype().torchName(),
                  Arrays.toString(stored.shape()),
                  dtype.torchName(),
                  elements));
    }
    return stored.contiguous().view(elements);
  }

  /** A handle of its own, so that the caller's can be closed. */
  private Tensor tensor(String suffix) {
    Tensor found = tensors.get(name + suffix);
    if (found == null) {
      throw new FormatException(
          "The 4-bit weight %s has no tensor %s"
              .formatted(
                  name,
                  name
                      + suffix
                      + Suggestion.nearest(name + suffix, tensors.keySet())
                          .map(near -> "; did you mean " + near + "?")
                          .orElse("")));
    }
    return found.detach();
  }
}
