package dev.panatune.model;

import dev.panatune.nn.Module;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.GradMode;
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
      return value.to(dtype).keep();
    }
  }

  /** Norms scale by about 1. */
  @Override
  public UnaryLayer norm(String path, long width, NormConfig config) {
    UnaryLayer norm = ParameterSource.super.norm(path, width, config);
    if (config.kind() != NormConfig.Kind.RMS_ONE_PLUS) {
      try (TensorScope _ = TensorScope.open();
          GradMode _ = GradMode.disable()) {
        ((Module) norm).parameter("weight").add_(Tensor.ones(dtype, width));
      }
    }
    return norm;
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
