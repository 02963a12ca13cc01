package dev.panatune.model;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/** Random parameters; closing it puts the default generator back to where it was. */
final class RandomSource implements ParameterSource, AutoCloseable {
  private final double deviation;
  private final DType dtype;
  private final byte[] generator = Rng.state();

  RandomSource(double deviation, long seed, DType dtype) {
    this.deviation = deviation;
    this.dtype = dtype;
    Rng.seed(seed);
  }

  @Override
  public Tensor parameter(String name, long... shape) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor value = Tensor.randn(DType.FLOAT32, shape).mul(deviation);
      if (name.endsWith("norm.weight")) {
        value = value.add(1);
      }
      return value.to(dtype).keep();
    }
  }

  @Override
  public Device device() {
    return Device.CPU;
  }

  @Override
  public void close() {
    Rng.restore(generator);
  }
}
