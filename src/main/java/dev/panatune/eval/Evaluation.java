package dev.panatune.eval;

import java.util.LinkedHashMap;
import java.util.SequencedMap;

/** What an evaluation of a model found. */
public sealed interface Evaluation permits EvalResult, ClassificationResult {
  /** The mean loss over all targets of the set, in nats. */
  double loss();

  /** The number of rows. */
  int examples();

  /** The number of targets. */
  long tokens();

  /** How long it took. */
  double seconds();

  /** What was measured, by name; {@code loss} first. */
  SequencedMap<String, Double> metrics();

  /** {@code metrics}, {@code examples}, {@code tokens}, {@code seconds}: fit to be JSON. */
  default SequencedMap<String, Object> toMap() {
    SequencedMap<String, Object> map = new LinkedHashMap<>();
    map.put("metrics", metrics());
    map.put("examples", examples());
    map.put("tokens", tokens());
    map.put("seconds", seconds());
    return map;
  }
}
