package dev.panatune.train;

/** When a run writes a checkpoint. */
public enum SaveStrategy {
  /** Never (a stop signal still leaves one). */
  NO,
  /** Every so many updates, and after the last. */
  STEPS,
  /** At the end of every epoch. */
  EPOCH,
  /** Whenever an evaluation was better than all before it. */
  BEST
}
