package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** {@code y = x W^T + b} with a dense weight [out, in]. */
public final class Linear extends DenseLinear {
  /**
   * Creates a layer over tensors that it owns from now on.
   *
   * @param weight [out, in], floating point
   * @param bias [out], or null for none
   */
  public Linear(Tensor weight, Tensor bias) {
    super(weight, bias, false);
  }

  @Override
  public Tensor forward(Tensor input) {
    return apply(input, weight());
  }
}
