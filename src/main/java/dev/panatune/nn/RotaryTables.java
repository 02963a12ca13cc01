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
    return Kernels.rotary(input, cos, sin);
  }
}
