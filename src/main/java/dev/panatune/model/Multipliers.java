package dev.panatune.model;

import java.util.OptionalDouble;

/**
 * What a decoder's values are multiplied by on their way.
 *
 * @param table the rows of the embedding's table
 * @param embedding what enters the first layer
 * @param residual what attention and MLP add to the residual stream
 * @param logits the head's output
 * @param logitSoftCap bounds the scaled logits: {@code cap * tanh(logit / cap)}; empty for no bound
 */
public record Multipliers(
    double table, double embedding, double residual, double logits, OptionalDouble logitSoftCap) {
  /** Nothing is multiplied. */
  static final Multipliers NONE = new Multipliers(1, 1, 1, 1, OptionalDouble.empty());
}
