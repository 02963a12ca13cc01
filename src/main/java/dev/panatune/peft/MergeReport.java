package dev.panatune.peft;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * How far merged weights are from the exact sum of base and update, because they are rounded to
 * their type or quantised.
 *
 * @param layers one entry a merged layer
 * @param overall the drift of all layers taken as one vector
 */
public record MergeReport(List<LayerDrift> layers, double overall) {
  /**
   * The drift of one layer.
   *
   * @param layer its path
   * @param drift |merged - exact| / |exact|, Frobenius norms
   * @param update |update| / |exact|: a drift near it means that the update is lost in rounding
   */
  public record LayerDrift(String layer, double drift, double update) {}

  /** The layer that is furthest from the exact sum. */
  public Optional<LayerDrift> worst() {
    return layers.stream().max(Comparator.comparingDouble(LayerDrift::drift));
  }
}
