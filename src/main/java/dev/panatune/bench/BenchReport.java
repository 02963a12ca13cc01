package dev.panatune.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a benchmark found.
 *
 * @param lines for a person
 * @param json the same, with every single measurement, for a program
 */
public record BenchReport(List<String> lines, Map<String, Object> json) {
  /** What a turn says of how it computed, and is shown once. */
  private static final List<String> FACTS =
      List.of(
          "dtype",
          "threads",
          "cpu_capability",
          "kernels",
          "floor_dtype",
          "floor_gflops",
          "peak_gflops",
          TrainMeasurement.GRADIENTS,
          "versions");

  /**
   * Puts one together.
   *
   * @param what was measured, in words
   * @param settings the same for a program
   */
  static BenchReport of(
      String what, Map<String, Object> settings, Alternation turns, List<Metric> metrics) {
    List<Measured> sides =
        turns.results().entrySet().stream()
            .map(entry -> new Measured(entry.getKey(), entry.getValue()))
            .toList();
    Machine machine = Machine.here();
    List<String> lines = new ArrayList<>(List.of(machine.describe(), what, ""));
    lines.addAll(table(sides, metrics));
    lines.add("");
    sides.forEach(side -> facts(side).ifPresent(lines::add));
    turns.failures().forEach((name, why) -> lines.add("%s failed: %s".formatted(name, why)));
    List<Map<String, Object>> ratios = new ArrayList<>();
    for (Measured ours : sides) {
      for (Measured peer : sides) {
        if (ours.side().ours()
            && !peer.side().ours()
            && ours.side().group().equals(peer.side().group())) {
          compare(ours, peer, metrics, lines, ratios);
        }
      }
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("machine", machine.toJson());
    json.put("settings", settings);
    json.put("sides", sides.stream().map(side -> json(side, metrics)).toList());
    json.put("ratios", ratios);
    json.put("failures", turns.failures());
    return new BenchReport(lines, json);
  }

  private static List<String> table(List<Measured> sides, List<Metric> metrics) {
    List<Metric> shown =
        metrics.stream()
            .filter(metric -> sides.stream().anyMatch(s -> metric.value().apply(s).isPresent()))
            .toList();
    List<String> head = new ArrayList<>(List.of("median (least-greatest)"));
    shown.forEach(metric -> head.add(metric.title()));
    TextTable table = new TextTable(head);
    for (Measured side : sides) {
      List<String> cells = new ArrayList<>(List.of(side.side().name()));
      shown.forEach(metric -> cells.add(metric.cell(side)));
      table.row(cells);
    }
    return table.lines();
  }

  private static Optional<String> facts(Measured side) {
    Map<String, Object> told = new LinkedHashMap<>(side.side().job());
    told.putAll(side.turns().getFirst());
    List<String> facts =
        FACTS.stream()
            .filter(told::containsKey)
            .map(fact -> "%s %s".formatted(fact.replace('_', ' '), plain(told.get(fact))))
            .toList();
    return facts.isEmpty()
        ? Optional.empty()
        : Optional.of(side.side().name() + ": " + String.join(", ", facts));
  }

  private static String plain(Object value) {
    return value instanceof Double number ? "%.0f".formatted(number) : String.valueOf(value);
  }

  private static void compare(
      Measured ours,
      Measured peer,
      List<Metric> metrics,
      List<String> lines,
      List<Map<String, Object>> ratios) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("ours", ours.side().name());
    json.put("peer", peer.side().name());
    List<String> words = new ArrayList<>();
    for (Metric metric : metrics) {
      metric
          .ratio(ours, peer)
          .ifPresent(ratio -> {
            json.put(metric.key(), ratio);
            words.add(metric.words(ratio));
          });
    }
    if (!words.isEmpty()) {
      ratios.add(json);
      lines.add(
          "%s against %s: %s"
              .formatted(ours.side().name(), peer.side().name(), String.join(", ", words)));
    }
  }

  private static Map<String, Object> json(Measured side, List<Metric> metrics) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("name", side.side().name());
    json.put("group", side.side().group());
    json.put("job", side.side().job());
    json.put("environment", side.side().environment());
    for (Metric metric : metrics) {
      metric.value().apply(side).ifPresent(spread -> json.put(metric.key(), spread.toJson()));
    }
    json.put("turns", side.turns());
    return json;
  }
}
