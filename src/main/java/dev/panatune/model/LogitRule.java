package dev.panatune.model;

import dev.panatune.tensor.Tensor;
import java.util.OptionalDouble;

/**
 * What becomes of the head's output.
 *
 * @param scale what it is multiplied by
 * @param softCap bounds the scaled logits: {@code cap * tanh(logit / cap)}; empty for no bound
 */
record LogitRule(double scale, OptionalDouble softCap) {
  static LogitRule of(ModelConfig config) {
    if (config.classifier().isPresent()) {
      return new LogitRule(1, OptionalDouble.empty());
    }
    return new LogitRule(config.multipliers().logits(), config.multipliers().logitSoftCap());
  }

  Tensor apply(Tensor logits) {
    Tensor scaled = scale == 1 ? logits : logits.mul(scale);
    if (softCap.isEmpty()) {
      return scaled;
    }
    double cap = softCap.getAsDouble();
    return scaled.div(cap).tanh().mul(cap);
  }
}
