package dev.panatune.train;

import dev.panatune.model.CausalLM;
import dev.panatune.nn.Linear;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;

/**
 * The gradient of a head that is tied to the embedding, from the micro-batches before.
 *
 * <p>Autograd adds the head's and the embedding's part to each other first, and then to what was
 * there. A backward pass in pieces would add them one by one, and round differently; so what was
 * there is set aside meanwhile.
 *
 * @param weight the tied weight; null if there is none to train
 * @param before its gradient so far; null if it had none
 */
record TiedGradient(Tensor weight, Tensor before) {
  static TiedGradient setAside(CausalLM model) {
    if (model.config().tiedHead()
        && model.head() instanceof Linear head
        && head.weight().requiresGrad()) {
      Tensor before = head.weight().grad();
      head.weight().setGrad(null);
      return new TiedGradient(head.weight(), before);
    }
    return new TiedGradient(null, null);
  }

  void putBack() {
    if (before != null) {
      try (GradMode _ = GradMode.disable()) {
        weight.grad().add_(before);
      }
    }
  }
}
