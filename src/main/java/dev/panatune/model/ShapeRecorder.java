package dev.panatune.model;

import dev.panatune.nn.LinearLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Gives parameters of the right shape that take no memory, and notes which were asked for: so a
 * configuration's parameters are known from the very code that builds the model.
 */
final class ShapeRecorder implements ParameterSource {
  private final Map<String, long[]> shapes = new LinkedHashMap<>();
  private final Set<String> conv1d = new HashSet<>();

  private ShapeRecorder() {}

  /** Returns what a model asks for. */
  static ShapeRecorder of(ModelConfig config) {
    ShapeRecorder recorder = new ShapeRecorder();
    new CausalLM(config, recorder).close();
    return recorder;
  }

  /** Returns the names and shapes of the parameters. */
  Map<String, long[]> shapes() {
    return shapes;
  }

  /** Returns whether a parameter is the weight of a Conv1D. */
  boolean isConv1d(String name) {
    return conv1d.contains(name);
  }

  @Override
  public LinearLayer conv1d(String path, long out, long in, boolean bias) {
    conv1d.add(path + ".weight");
    return ParameterSource.super.conv1d(path, out, in, bias);
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
