package dev.panatune.nn;

import dev.panatune.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** A linear layer that can be computed together with others that have the same input. */
public interface JointLinear extends LinearLayer {
  /**
   * Computes all layers at once, if these can be.
   *
   * @param input [..., in]
   * @param layers at least one, this the first of them
   * @return their outputs in order; empty if each must be computed alone
   */
  Optional<Tensor[]> forwardTogether(Tensor input, List<LinearLayer> layers);

  /** Computes layers that have the same input, together where they can be; the outputs in order. */
  static Tensor[] forwardAll(Tensor input, LinearLayer... layers) {
    Optional<Tensor[]> together =
        layers[0] instanceof JointLinear first
            ? first.forwardTogether(input, List.of(layers))
            : Optional.empty();
    return together.orElseGet(() -> {
      Tensor[] outputs = new Tensor[layers.length];
      for (int i = 0; i < layers.length; i++) {
        outputs[i] = layers[i].forward(input);
      }
      return outputs;
    });
  }
}
