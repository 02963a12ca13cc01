package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** How what a part of a layer computed joins the residual stream; without one, it is added. */
public interface ResidualJoin {
  /**
   * Joins both.
   *
   * @param output what the part computed, [B, T, hidden]
   * @param residual the stream before the part, of the same shape
   * @return the stream after it
   */
  Tensor join(Tensor output, Tensor residual);
}
