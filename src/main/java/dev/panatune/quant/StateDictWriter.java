package dev.panatune.quant;

import dev.panatune.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;

/** Gives a quantised weight the form in which transformers saves it. */
final class StateDictWriter {
  private final QuantizedTensor weight;

  StateDictWriter(QuantizedTensor weight) {
    this.weight = weight;
  }

  Map<String, Tensor> write(String name) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put(name, weight.packed().detach());
    tensors.put(name + ".absmax", weight.absmax().detach());
    tensors.put(name + ".quant_map", weight.code().detach());
    NestedScales nested = weight.nested();
    OptionalDouble offset = OptionalDouble.empty();
    if (nested != null) {
      tensors.put(name + ".nested_absmax", nested.absmax().detach());
      tensors.put(name + ".nested_quant_map", nested.code().detach());
      offset = OptionalDouble.of(nested.offset().item());
    }
    QuantConfig config = weight.config();
    byte[] state =
        new QuantState(config.type(), config.blockSize(), weight.dtype(), weight.shape(), offset)
            .toJson();
    tensors.put(QuantState.key(name, config.type()), Tensor.ofBytes(state, state.length));
    return tensors;
  }
}
