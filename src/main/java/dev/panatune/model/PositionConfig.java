package dev.panatune.model;

import dev.panatune.nn.RopeConfig;
import java.util.List;
import java.util.OptionalInt;

/**
 * How a decoder knows the order of its tokens.
 *
 * @param maxPositions the context length, in tokens
 * @param learned whether a table of positions is added to the embeddings
 * @param rotated how many elements of a head are rotated, from the first on
 * @param ropes the rotary embeddings; empty for none
 * @param ropeOfLayer for each layer which of them it uses; empty for none
 */
public record PositionConfig(
    int maxPositions,
    boolean learned,
    int rotated,
    List<RopeConfig> ropes,
    List<OptionalInt> ropeOfLayer) {

  /** Copies the lists. */
  public PositionConfig {
    ropes = List.copyOf(ropes);
    ropeOfLayer = List.copyOf(ropeOfLayer);
  }

  /** Returns the longest text, in tokens: "dynamic" scaling is made to go beyond the training's. */
  int contextLength() {
    return ropes.stream()
        .filter(RopeConfig.Dynamic.class::isInstance)
        .mapToInt(rope -> (int) (((RopeConfig.Dynamic) rope).factor() * maxPositions))
        .reduce(maxPositions, Math::max);
  }

  /**
   * Returns the length beyond which a text's first tokens are rotated otherwise than in a shorter
   * one, where there is such a length. ("Dynamic" scaling changes with every token; there, as in
   * transformers, cached keys stay as they are.)
   */
  OptionalInt longestShortText() {
    return ropes.stream()
        .filter(RopeConfig.LongRope.class::isInstance)
        .mapToInt(rope -> ((RopeConfig.LongRope) rope).originalMaxPositions())
        .findFirst();
  }
}
