package dev.panatune.train;

/** In which order an epoch goes through the training examples. */
public enum SamplingStrategy {
  /** A new seeded permutation every epoch. */
  RANDOM,
  /** The order of the data, every epoch. */
  SEQUENTIAL,
  /**
   * A seeded permutation in which examples of about the same length stand together, the longest
   * first: less padding, and what does not fit into memory shows at the first step.
   */
  GROUP_BY_LENGTH
}
