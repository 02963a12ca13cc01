package dev.panatune.nn;

/**
 * A layer from [..., in] to [..., out]: dense, quantised, or one of these with an adapter around
 * it.
 */
public interface LinearLayer extends UnaryLayer {
  /** Returns the size of the input's last dimension. */
  long inFeatures();

  /** Returns the size of the output's last dimension. */
  long outFeatures();
}
