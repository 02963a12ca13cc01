package dev.panatune.bench;

import java.util.List;
import java.util.Map;

/** The values of a job as one process wrote them for another of the same program. */
record JobFields(Map<String, Object> values) {
  String text(String key) {
    return (String) value(key);
  }

  int number(String key) {
    return ((Number) value(key)).intValue();
  }

  double decimal(String key) {
    return ((Number) value(key)).doubleValue();
  }

  List<Integer> numbers(String key) {
    return ((List<?>) value(key)).stream().map(number -> ((Number) number).intValue()).toList();
  }

  boolean flag(String key) {
    return (Boolean) value(key);
  }

  private Object value(String key) {
    Object value = values.get(key);
    if (value == null) {
      throw new IllegalArgumentException("the job has no '%s': %s".formatted(key, values));
    }
    return value;
  }
}
