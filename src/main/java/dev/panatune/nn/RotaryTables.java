package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/**
 * Cosines and sines of the positions of one forward pass.
 *
 * @param cos fp32 [T, R / 2], where R is the number of elements of a head that are rotated
 * @param sin fp32 [T, R / 2]
 */
public record RotaryTables(Tensor cos, Tensor sin) {
  /** Rotates queries or keys [B, heads, T, headDim] by their positions; same shape and dtype. */
  public Tensor rotate(Tensor input) {
    return Kernels.rotary(input, cos, sin);
  }
}
