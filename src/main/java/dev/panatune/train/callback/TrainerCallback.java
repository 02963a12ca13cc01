package dev.panatune.train.callback;

import java.nio.file.Path;

/**
 * What is told of a run's events. All methods are called on the thread that trains; an exception
 * ends the run.
 */
public interface TrainerCallback {
  /** The run begins, or goes on from a checkpoint. */
  default void onTrainBegin(TrainingProgress progress) {}

  /** An update was made. */
  default void onStepEnd(TrainingProgress progress) {}

  /** An evaluation begins. */
  default void onEvaluationBegin(TrainingProgress progress) {}

  /** A line was added to the log. */
  default void onLog(TrainingProgress progress, LogEntry entry) {}

  /** A checkpoint was written and is durable. */
  default void onSave(TrainingProgress progress, Path checkpoint) {}

  /** Something that a user must be told: a checkpoint passed over, a resume under other threads. */
  default void onMessage(String message) {}

  /** The run is over, at its end or at a stop signal; not called when it fails. */
  default void onTrainEnd(TrainingProgress progress) {}
}
