package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/**
 * Cosines and sines of the positions of one forward pass.
 *
 * @param cos fp32 [T, R / 2], where R is the number of elements of a head that are rotated; or [B,
 *     T, R / 2] where rows differ
 * @param sin fp32 of the same shape
 */
public record RotaryTables(Tensor cos, Tensor sin) {
  /**
   * Returns the tables of the positions that tokens have.
   *
   * @param positions int64 [B, T], each below this table's T
   */
  public RotaryTables at(Tensor positions) {
    return new RotaryTables(rows(cos, positions), rows(sin, positions));
  }

  private static Tensor rows(Tensor table, Tensor positions) {
    return table
        .indexSelect(0, positions.view(-1))
        .view(positions.size(0), positions.size(1), table.size(1));
  }

  /** Rotates queries or keys [B, heads, T, headDim] by their positions; same shape and dtype. */
  public Tensor rotate(Tensor input) {
    return Kernels.rotary(input, cos, sin);
  }
}
