package dev.panatune.nn;

import java.util.List;

/**
 * How the frequencies of a rotary embedding are made (Su et al., 2021, arXiv:2104.09864).
 *
 * <p>Frequency i of R rotated elements is {@code theta^(-2i/R)} before scaling.
 */
public sealed interface RopeConfig {
  /** Returns the base of the frequencies. */
  double theta();

  /** Returns what cosines and sines are multiplied by. */
  default double attentionFactor() {
    return 1;
  }

  /** Unscaled. */
  record Standard(double theta) implements RopeConfig {}

  /** All frequencies are divided by a factor. */
  record Linear(double theta, double factor) implements RopeConfig {}

  /**
   * "NTK-aware" scaling: the base grows with the text, once that is longer than the context.
   *
   * @param maxPositions the context length, in tokens, of the pre-training
   */
  record Dynamic(double theta, double factor, int maxPositions) implements RopeConfig {}

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

  /**
   * YaRN (Peng et al., 2023, arXiv:2309.00071): frequencies that turn rarely within the original
   * context are divided by a factor, those that turn often kept, those between blended.
   *
   * @param betaFast frequencies with more turns than this are kept
   * @param betaSlow frequencies with fewer turns than this are divided
   * @param originalMaxPositions the context length, in tokens, of the pre-training
   * @param truncate whether the blend begins and ends at whole frequencies
   */
  record Yarn(
      double theta,
      double factor,
      double attentionFactor,
      double betaFast,
      double betaSlow,
      double originalMaxPositions,
      boolean truncate)
      implements RopeConfig {}

  /**
   * LongRoPE (Ding et al., 2024, arXiv:2402.13753): a factor for each frequency, of two sets.
   *
   * @param shortFactors for texts of up to {@code originalMaxPositions} tokens
   * @param longFactors for longer ones, at all their positions
   * @param originalMaxPositions the context length, in tokens, of the pre-training
   */
  record LongRope(
      double theta,
      List<Double> shortFactors,
      List<Double> longFactors,
      double attentionFactor,
      int originalMaxPositions)
      implements RopeConfig {

    /** Copies the lists. */
    public LongRope {
      shortFactors = List.copyOf(shortFactors);
      longFactors = List.copyOf(longFactors);
    }
  }
}
