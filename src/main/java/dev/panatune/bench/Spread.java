package dev.panatune.bench;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The middle of some measurements and how far they lie apart.
 *
 * @param count how many there are, at least one
 */
record Spread(double median, double least, double greatest, int count) {
  static Spread of(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    int half = sorted.length / 2;
    double median = sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    return new Spread(median, sorted[0], sorted[sorted.length - 1], sorted.length);
  }

  Map<String, Object> toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("median", median);
    json.put("least", least);
    json.put("greatest", greatest);
    json.put("count", count);
    return json;
  }
}
