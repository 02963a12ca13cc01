package dev.panatune.eval;

import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * What an evaluation found.
 *
 * @param loss mean over all target tokens of the set, in nats
 * @param tokenAccuracy the part of the target tokens that the model thought likeliest
 * @param examples rows
 * @param tokens target tokens
 * @param seconds how long it took
 */
public record EvalResult(
    double loss, double tokenAccuracy, int examples, long tokens, double seconds)
    implements Evaluation {

  /** The exponential of the loss. */
  public double perplexity() {
    return Math.exp(loss);
  }

  /** {@code loss}, {@code perplexity}, {@code token_accuracy}. */
  @Override
  public SequencedMap<String, Double> metrics() {
    SequencedMap<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("loss", loss);
    metrics.put("perplexity", perplexity());
    metrics.put("token_accuracy", tokenAccuracy);
    return metrics;
  }
}
