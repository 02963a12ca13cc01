package dev.panatune.train.callback;

import java.util.List;

/**
 * Where a run stands.
 *
 * @param step updates made
 * @param maxSteps updates of the whole run
 * @param startStep the updates that were already made when this process began (a resumed run)
 * @param epoch how many times the data has been gone through
 * @param loss mean loss over the target tokens of the last update, in nats; NaN before the first
 * @param learningRate of the last update; NaN before the first
 * @param tokensSeen input tokens, without padding, that this process has trained on
 * @param trainingNanos time that this process has spent on them
 * @param history the log so far, with what a resumed run took over
 */
public record TrainingProgress(
    int step,
    int maxSteps,
    int startStep,
    double epoch,
    double loss,
    double learningRate,
    long tokensSeen,
    long trainingNanos,
    List<LogEntry> history) {

  /** Input tokens a second; 0 before the first update. */
  public double tokensPerSecond() {
    return trainingNanos == 0 ? 0 : tokensSeen * 1e9 / trainingNanos;
  }

  /** The seconds that the updates still to be made will take at the speed so far; NaN at first. */
  public double secondsLeft() {
    int done = step - startStep;
    return done == 0 ? Double.NaN : trainingNanos / 1e9 / done * (maxSteps - step);
  }
}
