package dev.panatune.model;

import dev.panatune.nn.Activation;

/**
 * The MLP of a decoder's layers.
 *
 * @param width of its inner layer
 * @param layout its layers
 * @param activation its non-linearity
 * @param bias whether its layers have biases
 */
public record MlpConfig(int width, Layout layout, Activation activation, boolean bias) {
  /** The layers of an MLP. */
  public enum Layout {
    /** A gate, a layer up and one down. */
    GATED,
    /** The same, gate and up in one layer. */
    JOINED_GATED,
    /** A layer up and one down. */
    PLAIN
  }
}
