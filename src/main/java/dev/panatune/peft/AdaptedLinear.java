package dev.panatune.peft;

import dev.panatune.nn.LinearLayer;
import dev.panatune.tensor.Tensor;

/** A linear layer with an adapter around it that can become part of the layer's weight. */
interface AdaptedLinear extends LinearLayer, AutoCloseable {
  /** The layer that is adapted. */
  LinearLayer base();

  /**
   * The weight that computes without the adapter what the layer computes with it.
   *
   * @param weight float32 [out, in]
   * @return float32 [out, in], in the innermost scope
   */
  Tensor mergedInto(Tensor weight);

  /**
   * The bias that belongs to the merged weight.
   *
   * @param bias [out]
   * @return [out], in the innermost scope
   */
  default Tensor mergedIntoBias(Tensor bias) {
    return bias;
  }

  /** Frees the adapter's own tensors. */
  @Override
  void close();
}
