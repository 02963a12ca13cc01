package dev.panatune.run;

import dev.panatune.data.EncodingReport;
import dev.panatune.train.TrainResult;
import dev.panatune.train.callback.LogEntry;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * What a run reached.
 *
 * @param before metrics before the first update; empty if nothing was evaluated then
 * @param after metrics of what is saved; empty if nothing was evaluated
 * @param samples per sample prompt {@code prompt}, {@code before}, {@code after}
 * @param trainRows what became of the training rows
 * @param steps updates made
 */
public record RunReport(
    SequencedMap<String, Double> before,
    SequencedMap<String, Double> after,
    List<Map<String, String>> samples,
    EncodingReport trainRows,
    int steps) {
  private static final String PREFIX = "eval_";
  private static final List<String> METRICS =
      List.of("loss", "perplexity", "token_accuracy", "accuracy", "macro_f1");

  /**
   * Takes the metrics from the log of a run that was not stopped.
   *
   * @param savedStep the update whose weights are saved
   */
  static RunReport of(
      TrainResult result, int savedStep, List<Map<String, String>> samples, EncodingReport rows) {
    return new RunReport(
        metrics(result, 0), metrics(result, savedStep), samples, rows, result.steps());
  }

  private static SequencedMap<String, Double> metrics(TrainResult result, int step) {
    SequencedMap<String, Double> metrics = new LinkedHashMap<>();
    for (LogEntry entry : result.history()) {
      for (String name : METRICS) {
        if (entry.step() == step) {
          entry.value(PREFIX + name).ifPresent(value -> metrics.put(name, value));
        }
      }
    }
    return metrics;
  }

  /** The report fit to be JSON. */
  SequencedMap<String, Object> toMap() {
    SequencedMap<String, Object> map = new LinkedHashMap<>();
    map.put("before", before);
    map.put("after", after);
    map.put("steps", steps);
    map.put("train_rows", trainRows.rows());
    map.put("truncated_rows", trainRows.truncated());
    map.put("dropped_rows", trainRows.dropped());
    map.put("samples", samples);
    return map;
  }
}
