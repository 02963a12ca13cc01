package dev.panatune.train.callback;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.OptionalDouble;
import java.util.SequencedMap;

/**
 * A line of the log, with the keys of transformers' log history.
 *
 * @param step the number of updates made when it was written
 * @param epoch how many times the data had been gone through by then
 * @param values the line's other values by key, such as {@code loss}, {@code learning_rate}, {@code
 *     eval_loss}; losses in nats, times in seconds
 */
public record LogEntry(int step, double epoch, SequencedMap<String, Double> values) {
  /** Copies the values. */
  public LogEntry {
    values = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(values));
  }

  /** The value of {@code key}, where the line has it. */
  public OptionalDouble value(String key) {
    Double value = values.get(key);
    return value == null ? OptionalDouble.empty() : OptionalDouble.of(value);
  }

  /** The line as one map: the values, then {@code epoch} and {@code step}. */
  public SequencedMap<String, Object> toMap() {
    SequencedMap<String, Object> map = new LinkedHashMap<>(values);
    map.put("epoch", epoch);
    map.put("step", step);
    return map;
  }
}
