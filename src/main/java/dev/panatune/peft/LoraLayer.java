package dev.panatune.peft;

import dev.panatune.tensor.Tensor;

/** A layer with a low-rank update. */
interface LoraLayer extends MergeableLayer {
  /** A, float32 [r, in]; of an embedding [r, vocabulary]. */
  Tensor a();

  /** B, float32 [out, r]; of an embedding [hidden, r]. */
  Tensor b();

  /** What the product of B and A is multiplied by. */
  double scaling();

  void setScaling(double scaling);

  /** {@code scaling * B A}, in the innermost scope. */
  default Tensor update() {
    return b().detach().mm(a().detach()).mul(scaling());
  }
}
