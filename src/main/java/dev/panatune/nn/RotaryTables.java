package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/**
 * Cosines and sines of the positions of one forward pass.
 *
 * @param cos fp32 [T, headDim]
 * @param sin fp32 [T, headDim]
 */
public record RotaryTables(Tensor cos, Tensor sin) {
  /** Rotates queries or keys [B, heads, T, headDim] by their positions; same shape and dtype. */
  public Tensor rotate(Tensor input) {
    long half = input.size(-1) / 2;
    Tensor first = input.narrow(-1, 0, half);
    Tensor second = input.narrow(-1, half, half);
    Tensor turned = Tensor.cat(-1, second.neg(), first);
    return input.mul(cos).add(turned.mul(sin)).to(input.dtype());
  }
}
