package dev.panatune.model;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Gives parameters of the right shape that take no memory, and notes which were asked for: so a
 * configuration's parameters are known from the very code that builds the model.
 */
final class ShapeRecorder implements ParameterSource {
  private final Map<String, long[]> shapes = new LinkedHashMap<>();

  private ShapeRecorder() {}

  /** Returns the names and shapes of the parameters of a model. */
  static Map<String, long[]> shapesOf(ModelConfig config) {
    ShapeRecorder recorder = new ShapeRecorder();
    new CausalLM(config, recorder).close();
    return recorder.shapes;
  }

  @Override
  public Tensor parameter(String name, long... shape) {
    shapes.put(name, shape.clone());
    try (TensorScope _ = TensorScope.open()) {
      return Tensor.zeros(DType.UINT8, 1).expand(shape).keep();
    }
  }

  @Override
  public Device device() {
    return Device.CPU;
  }
}
