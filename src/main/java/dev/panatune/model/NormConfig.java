package dev.panatune.model;

/**
 * The norms of a decoder.
 *
 * @param epsilon added to the mean square, or to the variance
 */
public record NormConfig(Kind kind, double epsilon) {
  /** Kinds of norms. */
  public enum Kind {
    /** The root of the mean square, with a weight. */
    RMS,
    /** The same, with 1 plus a weight. */
    RMS_ONE_PLUS,
    /** Mean and variance, with a weight and a bias. */
    LAYER
  }
}
