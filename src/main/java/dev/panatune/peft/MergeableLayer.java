package dev.panatune.peft;

import dev.panatune.tensor.Tensor;
import java.util.SequencedMap;

/** A layer with an adapter around it that can become part of the layer's weight. */
interface MergeableLayer extends AdapterLayer {
  /**
   * The weight that computes without the adapter what the layer computes with it.
   *
   * @param weight float32 [out, in], or [vocabulary, hidden]; other adapters may be in it already
   * @return of the same shape, float32, in the innermost scope
   */
  Tensor mergedInto(Tensor weight);

  /**
   * The bias that does the same.
   *
   * @param bias float32 [out]
   */
  default Tensor mergedIntoBias(Tensor bias) {
    return bias;
  }

  /** The adapter's tensors, by what a file calls them after the layer's path and a dot. */
  SequencedMap<String, Tensor> tensors();
}
