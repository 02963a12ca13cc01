package dev.panatune.peft;

import dev.panatune.tensor.Tensor;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Whether an adapter takes part, and whether it is trained while it does. */
final class Participation {
  private final WholeParameters whole;
  private final Map<String, Tensor> parameters;
  private boolean attached = true;
  private boolean trainable = true;

  /**
   * Of an adapter that takes part and is trained.
   *
   * @param whole what is trained whole with it
   * @param parameters all that is trained, by name; what is cast back replaces its entry
   */
  Participation(WholeParameters whole, Map<String, Tensor> parameters) {
    this.whole = whole;
    this.parameters = parameters;
  }

  boolean isAttached() {
    return attached;
  }

  /** Puts what is trained whole in or out; nothing is trained while it is out. */
  void setAttached(boolean wanted) {
    if (wanted != attached) {
      attached = wanted;
      if (wanted) {
        whole.attach();
      } else {
        whole.detach();
      }
    }
    requireGradients(wanted && trainable);
  }

  /** Ends training for good. */
  void freeze() {
    trainable = false;
    requireGradients(false);
    parameters.putAll(whole.castBack(UnaryOperator.identity()));
  }

  private void requireGradients(boolean required) {
    parameters.values().forEach(tensor -> tensor.requiresGrad(required));
  }
}
