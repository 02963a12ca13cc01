package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/**
 * {@code y = x W + b} with a dense weight [in, out]: GPT-2's linear layer, under transformers' name
 * for it. What PEFT calls {@code fan_in_fan_out} is that this weight lies the other way round.
 */
public final class Conv1D extends DenseLinear {
  /**
   * Creates a layer over tensors that it owns from now on.
   *
   * @param weight [in, out], floating point
   * @param bias [out], or null for none
   */
  public Conv1D(Tensor weight, Tensor bias) {
    super(weight, bias, true);
  }

  @Override
  public Tensor forward(Tensor input) {
    return apply(input, weight().t());
  }
}
