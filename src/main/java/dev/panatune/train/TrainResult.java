package dev.panatune.train;

import dev.panatune.train.callback.LogEntry;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * How a run ended.
 *
 * @param steps updates made, with those before a resumption
 * @param trainLoss mean of all updates' losses, in nats
 * @param stopped whether a stop signal ended it before its last update
 * @param newestCheckpoint the newest checkpoint that this process wrote or went on from
 * @param bestCheckpoint the checkpoint of the best evaluation, where the run kept count
 * @param history the whole log
 */
public record TrainResult(
    int steps,
    double trainLoss,
    boolean stopped,
    Optional<Path> newestCheckpoint,
    Optional<Path> bestCheckpoint,
    List<LogEntry> history) {
  /** Copies the history. */
  public TrainResult {
    history = List.copyOf(history);
  }
}
