package dev.panatune.nn;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;

/**
 * Takes the mean off the last dimension, divides by the standard deviation, then scales by a weight
 * and adds a bias, both [hidden] (Ba et al., 2016, arXiv:1607.06450).
 *
 * <p>Everything inside is fp32 and the result is rounded once, to the input's dtype.
 */
public final class LayerNorm extends Module implements UnaryLayer {
  private static final Op LAYER_NORM = Op.find("aten::layer_norm", "");
  private static final String WEIGHT = "weight";
  private static final String BIAS = "bias";

  private final double epsilon;

  /**
   * Creates a layer over tensors that it owns from now on.
   *
   * @param weight [hidden]
   * @param bias [hidden]
   * @param epsilon added to the variance
   */
  public LayerNorm(Tensor weight, Tensor bias, double epsilon) {
    this.epsilon = epsilon;
    addParameter(WEIGHT, weight);
    addParameter(BIAS, bias);
  }

  @Override
  public Tensor forward(Tensor input) {
    Tensor weight = ownParameter(WEIGHT);
    return LAYER_NORM
        .call(
            input.to(DType.FLOAT32),
            weight.shape(),
            weight.to(DType.FLOAT32),
            ownParameter(BIAS).to(DType.FLOAT32),
            epsilon)
        .to(input.dtype());
  }
}
