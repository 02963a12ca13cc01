package dev.panatune.train;

/** When something that repeats during a run is done. */
public enum IntervalStrategy {
  /** Never. */
  NO,
  /** Every so many updates. */
  STEPS,
  /** At the end of every epoch. */
  EPOCH
}
