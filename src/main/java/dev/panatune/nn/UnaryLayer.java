package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** A layer from one tensor to one tensor. Its result belongs to the innermost open scope. */
public interface UnaryLayer {
  /** Computes the layer's output. */
  Tensor forward(Tensor input);
}
