package dev.panatune.nn;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/** Turns positions into the angles that queries and keys are rotated by. */
public final class RotaryEmbedding extends Module {
  private final Tensor inverseFrequencies;

  /** Creates it for heads of {@code headDim}, an even number. */
  public RotaryEmbedding(RopeConfig config, int headDim, Device device) {
    try (TensorScope _ = TensorScope.open()) {
      inverseFrequencies = RopeFrequencies.of(config, headDim).to(device).keep();
    }
  }

  /** Returns the tables of the positions {@code start} to {@code start + length - 1}. */
  public RotaryTables tables(long start, long length) {
    try (var _ = GradMode.disable();
        TensorScope scope = TensorScope.open()) {
      Tensor positions =
          Tensor.arange(start, start + length, DType.FLOAT32).to(inverseFrequencies.device());
      Tensor angles = positions.unsqueeze(-1).mul(inverseFrequencies);
      Tensor both = Tensor.cat(-1, angles, angles);
      return new RotaryTables(scope.moveToOuter(both.cos()), scope.moveToOuter(both.sin()));
    }
  }

  @Override
  public void close() {
    super.close();
    inverseFrequencies.close();
  }
}
