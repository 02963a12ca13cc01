package dev.panatune.quant;

import dev.panatune.error.FormatException;
import dev.panatune.error.TensorException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A weight in 4 bits, with what decodes it. It owns its tensors, belongs to no scope, and is
 * frozen: gradients flow through {@link #linear} to the input and the bias alone.
 */
public final class QuantizedTensor implements AutoCloseable {
  private static final Op QUANTIZE = Op.find("panatune::quantize_4bit", "");
  private static final Op QUANTIZE_SCALES = Op.find("panatune::quantize_blockwise", "");
  private static final Op DEQUANTIZE_SCALES = Op.find("panatune::dequantize_blockwise", "");
  private static final Op LINEAR = Op.find("panatune::linear_4bit", "");

  private static final Set<DType> SOURCE_DTYPES =
      Set.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16);

  private final QuantConfig config;
  private final long[] shape;
  private final DType dtype;
  private final Tensor packed;
  private final Tensor absmax;
  private final Tensor code;
  private final NestedScales nested;

  /** Takes the tensors over from their scopes. */
  QuantizedTensor(
      QuantConfig config,
      long[] shape,
      DType dtype,
      Tensor packed,
      Tensor absmax,
      Tensor code,
      NestedScales nested) {
    this.config = config;
    this.shape = shape.clone();
    this.dtype = dtype;
    this.packed = packed.keep();
    this.absmax = absmax.keep();
    this.code = code.keep();
    this.nested = nested == null ? null : nested.keep();
  }

  /**
   * Quantises a weight. Beside the result it needs no memory but, for a moment, the scales: close
   * the weight afterwards and it is all that is left.
   *
   * @param weight float32, bfloat16 or float16, contiguous; it is not closed
   * @throws TensorException if the weight has another type or is not contiguous
   */
  public static QuantizedTensor quantize(Tensor weight, QuantConfig config) {
    if (!SOURCE_DTYPES.contains(weight.dtype()) || !weight.isContiguous()) {
      throw new TensorException(
          "quantize: "
              + weight
              + " must be contiguous float32, bfloat16 or float16; convert it with contiguous() or"
              + " to(...)");
    }
    try (TensorScope _ = TensorScope.open()) {
      Tensor code = Codebooks.of(config.type()).to(weight.device());
      Tensor[] parts =
          QUANTIZE.callAll(weight.detach(), code, config.blockSize(), config.type().id());
      Tensor absmax = parts[1];
      NestedScales nested = null;
      if (config.doubleQuant()) {
        Tensor offset = parts[1].mean();
        Tensor map = Codebooks.dynamicMap().to(weight.device());
        Tensor[] scales =
            QUANTIZE_SCALES.callAll(parts[1].sub(offset), map, NestedScales.BLOCK_SIZE);
        absmax = scales[0];
        nested = new NestedScales(map, scales[1], offset);
      }
      return new QuantizedTensor(
          config, weight.shape(), weight.dtype(), parts[0], absmax, code, nested);
    }
  }

  /**
   * Makes a quantised weight of the tensors of a checkpoint that transformers or bitsandbytes
   * saved.
   *
   * @param weightName the name of the weight itself, such as {@code
   *     model.layers.0.mlp.up_proj.weight}
   * @param tensors the tensor of that name and those whose names begin with it and a dot; others
   *     are not looked at. They are shared, not copied, and may be closed afterwards
   * @param computeDtype the type in which products are computed
   * @throws FormatException if one is missing, or they contradict each other
   */
  public static QuantizedTensor fromStateDict(
      String weightName, Map<String, Tensor> tensors, DType computeDtype) {
    return new StateDictReader(weightName, tensors).read(computeDtype);
  }

  /** Returns whether a checkpoint with these tensor names holds this weight in 4 bits. */
  public static boolean isQuantized(String weightName, Set<String> tensorNames) {
    return Arrays.stream(QuantType.values())
        .anyMatch(type -> tensorNames.contains(QuantState.key(weightName, type)));
  }

  /**
   * Returns the tensors of the weight's serialised form by name, in bitsandbytes' order, in the
   * innermost scope. All but {@code quant_state} share this weight's memory.
   */
  public Map<String, Tensor> stateDict(String weightName) {
    return new StateDictWriter(this).write(weightName);
  }

  /** Returns the weight as a dense tensor of a type: float32, bfloat16 or float16. */
  public Tensor dequantize(DType target) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(
          Dequantizer.dequantize(
              config.type(), packed, scales(), code, config.blockSize(), shape, target));
    }
  }

  /** The scale of every block, in the innermost scope. */
  private Tensor scales() {
    return nested == null
        ? absmax
        : DEQUANTIZE_SCALES
            .call(absmax, nested.absmax(), nested.code(), NestedScales.BLOCK_SIZE, DType.FLOAT32)
            .add_(nested.offset());
  }

  /**
   * Multiplies with the transposed weight, {@code input W^T + bias}, in the compute type. The
   * weight is decoded for the call alone, and again in the backward pass.
   *
   * @param input [..., in] in any floating-point type
   * @param bias [out], or null
   * @return [..., out] in the input's type; under autocast, in autocast's
   * @throws TensorException if this is not a matrix or the shapes do not fit
   */
  public Tensor linear(Tensor input, Tensor bias) {
    if (shape.length != 2) {
      throw new TensorException("linear: a 4-bit weight must be [out, in], not " + this);
    }
    return LINEAR.call(
        input,
        packed,
        absmax,
        nested == null ? null : nested.code(),
        nested == null ? null : nested.absmax(),
        nested == null ? null : nested.offset(),
        code,
        bias,
        shape[0],
        shape[1],
        config.blockSize(),
        config.computeDtype());
  }

  /**
   * Returns the tensors that decode it, as the operators take them: codes, scales, the scales' own
   * table, scale and offset (null where scales are float32), and the table of codes. They stay this
   * weight's.
   */
  public Tensor[] operands() {
    return new Tensor[] {
      packed,
      absmax,
      nested == null ? null : nested.code(),
      nested == null ? null : nested.absmax(),
      nested == null ? null : nested.offset(),
      code
    };
  }

  /** Returns the shape of the weight that was quantised. */
  public long[] shape() {
    return shape.clone();
  }

  /** Returns the number of elements of the weight that was quantised. */
  public long numel() {
    return Arrays.stream(shape).reduce(1, (a, b) -> a * b);
  }

  /** Returns the type of the weight that was quantised. */
  public DType dtype() {
    return dtype;
  }

  /** Returns how it is quantised, with no modules to skip. */
  public QuantConfig config() {
    return config;
  }

  public Device device() {
    return packed.device();
  }

  /** Returns the bytes of all its tensors. */
  public long byteSize() {
    List<Tensor> parts =
        nested == null
            ? List.of(packed, absmax, code)
            : List.of(packed, absmax, code, nested.code(), nested.absmax(), nested.offset());
    return parts.stream().mapToLong(Tensor::byteSize).sum();
  }

  Tensor packed() {
    return packed;
  }

  Tensor absmax() {
    return absmax;
  }

  Tensor code() {
    return code;
  }

  /** Null where the scales are float32. */
  NestedScales nested() {
    return nested;
  }

  /** Frees the memory. Closing twice is fine. */
  @Override
  public void close() {
    packed.close();
    absmax.close();
    code.close();
    if (nested != null) {
      nested.close();
    }
  }

  @Override
  public String toString() {
    return "QuantizedTensor(%s of %s %s, blocks of %d%s)"
        .formatted(
            config.type().id(),
            dtype.torchName(),
            Arrays.toString(shape),
            config.blockSize(),
            nested == null ? "" : ", nested");
  }
}
