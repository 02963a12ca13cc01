package dev.panatune.train;

/** Which input tokens the log counts as seen. */
public enum TokenCounting {
  /** None: the log does not say. */
  NO,
  /** All positions of the batches, padding with them. */
  ALL,
  /** The examples' own tokens. */
  NON_PADDING
}
