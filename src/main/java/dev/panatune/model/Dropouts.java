package dev.panatune.model;

import dev.panatune.error.ConfigurationException;

/**
 * The probabilities with which training zeroes elements.
 *
 * @param attention of the attention weights
 * @param residual of what attention and MLP add to the residual stream
 * @param embedding of what enters the first layer
 */
public record Dropouts(double attention, double residual, double embedding) {
  /**
   * Checks that each is a probability.
   *
   * @throws ConfigurationException if one is not
   */
  public Dropouts {
    for (double probability : new double[] {attention, residual, embedding}) {
      if (!(probability >= 0 && probability <= 1)) {
        throw new ConfigurationException(
            "config.json: a dropout of %s is no probability".formatted(probability));
      }
    }
  }
}
