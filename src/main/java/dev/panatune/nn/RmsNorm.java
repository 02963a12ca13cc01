package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/**
 * Divides by the root of the mean square over the last dimension, then scales by a weight [hidden]
 * (Zhang and Sennrich, 2019, arXiv:1910.07467), or by 1 plus that weight.
 *
 * <p>Everything inside is fp32 and the result is rounded once, to the input's dtype; transformers
 * rounds before the weight as well.
 */
public final class RmsNorm extends Module implements UnaryLayer {
  private static final String WEIGHT = "weight";

  private final double epsilon;
  private final boolean onePlus;

  /**
   * Creates a layer over a weight that it owns from now on.
   *
   * @param weight [hidden]
   * @param epsilon added to the mean square
   */
  public RmsNorm(Tensor weight, double epsilon) {
    this(weight, epsilon, false);
  }

  /**
   * Creates a layer over a weight that it owns from now on.
   *
   * @param weight [hidden]
   * @param epsilon added to the mean square
   * @param onePlus whether the scale is 1 plus the weight, as Gemma stores it
   */
  public RmsNorm(Tensor weight, double epsilon, boolean onePlus) {
    this.epsilon = epsilon;
    this.onePlus = onePlus;
    addParameter(WEIGHT, weight);
  }

  Tensor weight() {
    return ownParameter(WEIGHT);
  }

  double epsilon() {
    return epsilon;
  }

  boolean onePlus() {
    return onePlus;
  }

  @Override
  public Tensor forward(Tensor input) {
    return Kernels.rmsNorm(input, ownParameter(WEIGHT), epsilon, onePlus);
  }
}
