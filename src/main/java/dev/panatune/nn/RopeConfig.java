package dev.panatune.nn;

/** How the frequencies of a rotary embedding are made. */
public sealed interface RopeConfig {
  /** Returns the base: frequency i of a head of size D is {@code theta^(-2i/D)}. */
  double theta();

  /** Unscaled. */
  record Standard(double theta) implements RopeConfig {}

  /** All frequencies are divided by a factor. */
  record Linear(double theta, double factor) implements RopeConfig {}

  /**
   * Llama 3.1's: low frequencies are divided by a factor, high ones kept, those between blended.
   *
   * @param lowFrequencyFactor wavelengths over {@code originalMaxPositions} / this are divided
   * @param highFrequencyFactor wavelengths under {@code originalMaxPositions} / this are kept
   * @param originalMaxPositions the context length, in tokens, of the pre-training
   */
  record Llama3(
      double theta,
      double factor,
      double lowFrequencyFactor,
      double highFrequencyFactor,
      double originalMaxPositions)
      implements RopeConfig {}
}
