package dev.panatune.bench;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** All turns of one side. */
record Measured(Side side, List<Map<String, Object>> turns) {
  /** The spread of a number, or of all numbers of a list; empty where no turn has it. */
  Optional<Spread> spread(String key) {
    List<Double> values =
        turns.stream()
            .flatMap(turn -> numbers(turn.get(key)))
            .map(value -> ((Number) value).doubleValue())
            .toList();
    return values.isEmpty() ? Optional.empty() : Optional.of(Spread.of(values));
  }

  private static Stream<?> numbers(Object value) {
    return value instanceof List<?> list ? list.stream() : Stream.ofNullable(value);
  }
}
