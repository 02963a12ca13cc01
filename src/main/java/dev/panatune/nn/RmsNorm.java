package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/**
 * Divides by the root of the mean square over the last dimension, then scales by a weight [hidden].
 *
 * <p>The mean and the division are in fp32; the quotient is rounded to the input's dtype before it
 * meets the weight, as in transformers.
 */
public final class RmsNorm extends Module implements UnaryLayer {
  private static final String WEIGHT = "weight";

  private final double epsilon;

  /**
   * Creates a layer over a weight that it owns from now on.
   *
   * @param weight [hidden]
   * @param epsilon added to the mean square
   */
  public RmsNorm(Tensor weight, double epsilon) {
    this.epsilon = epsilon;
    addParameter(WEIGHT, weight);
  }

  @Override
  public Tensor forward(Tensor input) {
    return Kernels.rmsNorm(input, ownParameter(WEIGHT), epsilon);
  }
}
