package dev.panatune.train;

import dev.panatune.train.callback.LogEntry;
import dev.panatune.train.optim.GradientScaler;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SequencedMap;

/** What changes during a run, apart from tensors: all of it is in a checkpoint. */
final class RunState {
  /** Updates made, with those that were left out because float16 overflowed. */
  int step;

  /** Updates that moved the learning rate's schedule. */
  int scheduledSteps;

  /** Input tokens trained on, as {@link TrainingArguments#includeNumInputTokensSeen} counts. */
  long countedTokens;

  /** Sum of the updates' losses, over the whole run. */
  double totalLoss;

  /** Sums since the last line of the log. */
  SinceLog sinceLog = new SinceLog(0, 0, 0, 0);

  OptionalDouble bestMetric = OptionalDouble.empty();
  OptionalInt bestStep = OptionalInt.empty();
  final List<LogEntry> history = new ArrayList<>();
  final GradientScaler scaler = new GradientScaler();

  /**
   * Sums over updates.
   *
   * @param losses of the updates' mean losses
   * @param correct of the tokens that were predicted right
   * @param targets of the tokens that were to be predicted
   * @param steps the number of updates
   */
  record SinceLog(double losses, long correct, long targets, int steps) {
    SinceLog plus(StepResult result) {
      return new SinceLog(
          losses + result.loss(),
          correct + result.correct(),
          targets + result.targetTokens(),
          steps + 1);
    }
  }

  /** Takes an update into the sums. */
  void add(StepResult result, TokenCounting counting) {
    step++;
    if (result.applied()) {
      scheduledSteps++;
    }
    if (Double.isFinite(result.loss())) {
      totalLoss += result.loss();
      sinceLog = sinceLog.plus(result);
    }
    countedTokens +=
        switch (counting) {
          case NO -> 0;
          case ALL -> result.positions();
          case NON_PADDING -> result.tokens();
        };
  }

  /**
   * The log's line of the updates since the last one; they are then counted anew.
   *
   * @param accuracy what the part of the right predictions is called
   */
  SequencedMap<String, Double> takeLog(
      StepResult last, double learningRate, String accuracy, boolean countTokens) {
    SequencedMap<String, Double> values = new LinkedHashMap<>();
    if (sinceLog.steps() > 0) {
      values.put("loss", sinceLog.losses() / sinceLog.steps());
      values.put(accuracy, (double) sinceLog.correct() / sinceLog.targets());
    }
    if (Double.isFinite(last.gradientNorm())) {
      values.put("grad_norm", last.gradientNorm());
    }
    values.put("learning_rate", learningRate);
    if (countTokens) {
      values.put("num_input_tokens_seen", (double) countedTokens);
    }
    sinceLog = new SinceLog(0, 0, 0, 0);
    return values;
  }
}
