package dev.panatune.nn;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/** Turns positions into the angles that queries and keys are rotated by. */
public final class RotaryEmbedding extends Module {
  private final RopeConfig config;
  private final int size;
  private final Device device;
  private final Tensor inverseFrequencies;

  /**
   * Creates it.
   *
   * @param size how many elements of a head are rotated, an even number; the first ones are
   */
  public RotaryEmbedding(RopeConfig config, int size, Device device) {
    this.config = config;
    this.size = size;
    this.device = device;
    try (TensorScope _ = TensorScope.open()) {
      inverseFrequencies = RopeFrequencies.of(config, size).to(device).keep();
    }
  }

  /**
   * Returns the tables of the positions {@code start} to {@code start + length - 1} of a text that
   * ends there: some kinds scale by its length.
   */
  public RotaryTables tables(long start, long length) {
    try (var _ = GradMode.disable();
        TensorScope scope = TensorScope.open()) {
      Tensor positions = Tensor.arange(start, start + length, DType.FLOAT32).to(device);
      Tensor angles = positions.unsqueeze(-1).mul(frequencies(start + length));
      double factor = config.attentionFactor();
      return new RotaryTables(
          scope.moveToOuter(scaled(angles.cos(), factor)),
          scope.moveToOuter(scaled(angles.sin(), factor)));
    }
  }

  private Tensor frequencies(long length) {
    boolean scaled =
        switch (config) {
          case RopeConfig.Dynamic dynamic -> length > dynamic.maxPositions();
          case RopeConfig.LongRope longRope -> length > longRope.originalMaxPositions();
          default -> false;
        };
    return scaled ? RopeFrequencies.of(config, size, length).to(device) : inverseFrequencies;
  }

  private static Tensor scaled(Tensor table, double factor) {
    return factor == 1 ? table : table.mul(factor);
  }

  @Override
  public void close() {
    super.close();
    inverseFrequencies.close();
  }
}
