package dev.panatune.peft;

import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.function.BinaryOperator;

/** How an adapter takes part at the moment; all its layers look here. */
final class AdapterState {

  private boolean training;
  private boolean enabled = true;

  /** Whether dropout is applied. */
  boolean isTraining() {
    return training;
  }

  void setTraining(boolean training) {
    this.training = training;
  }

  void setEnabled(boolean enabled) {
    this.enabled = enabled;
  }

  /**
   * Computes a layer with the adapter where it takes part.
   *
   * @param update from the input and the base's result to the result with the adapter
   * @return in the innermost scope
   */
  Tensor forward(UnaryLayer base, Tensor input, BinaryOperator<Tensor> update) {
    if (!enabled) {
      return base.forward(input);
    }
    try (TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(update.apply(input, base.forward(input)));
    }
  }
}
