package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The weights of a model that holds nothing else, such as adapters.
 *
 * @param dense parameters by name
 * @param quantized layers in 4 bits by path
 */
record PlainWeights(Map<String, Tensor> dense, Map<String, QuantizedLinear> quantized) {
  /**
   * Returns the weights of a model.
   *
   * @throws ConfigurationException if it holds more or less than its configuration says
   */
  static PlainWeights of(CausalLM model) {
    Map<String, Tensor> dense = model.namedParameters();
    Map<String, QuantizedLinear> quantized = new LinkedHashMap<>();
    model
        .namedModules()
        .forEach(entry -> {
          if (entry.getValue() instanceof QuantizedLinear layer) {
            quantized.put(entry.getKey(), layer);
          }
        });
    Set<String> expected = ShapeRecorder.of(model.config()).shapes().keySet();
    List<String> foreign = new ArrayList<>(dense.keySet());
    quantized.keySet().forEach(path -> foreign.add(path + ".weight"));
    List<String> missing = new ArrayList<>(expected);
    missing.removeAll(foreign);
    foreign.removeAll(expected);
    if (!foreign.isEmpty() || !missing.isEmpty()) {
      throw new ConfigurationException(
          "The model is not a plain %s: it has %s and lacks %s. Merge or unload its adapters first"
              .formatted(model.config().modelType(), foreign, missing));
    }
    return new PlainWeights(dense, quantized);
  }
}
