package dev.panatune.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Sides are small shell scripts, which print what a worker would. */
class AlternationTest {
  private static final List<Metric> METRICS =
      List.of(
          Metric.told("step_seconds", "step s", "%.1f", 1, Metric.Ratio.SPEEDUP),
          Metric.told("peak_rss_bytes", "peak RSS MB", "%.0f", Metric.MB, Metric.Ratio.SHARE));

  private final StringWriter progress = new StringWriter();

  private static Side side(String name, String group, boolean ours, String script) {
    return new Side(
        name, group, ours, List.of("sh", "-c", script, "sh"), Map.of("SEEN", "1"), Map.of("a", 7));
  }

  private BenchReport report(int rounds, Side... sides) {
    return BenchReport.of(
        "steps",
        Map.of(),
        Alternation.run(List.of(sides), rounds, new PrintWriter(progress)),
        METRICS);
  }

  @Test
  void sidesTakeTurnsAndOursIsComparedWithThoseOfItsGroup() {
    BenchReport report =
        report(
            2,
            side(
                "lora",
                "lora",
                true,
                "echo '{\"step_seconds\": [1, 2, 9], \"peak_rss_bytes\": 5e6}'"),
            side(
                "peft",
                "lora",
                false,
                "echo noise; echo '{\"step_seconds\": [8], \"peak_rss_bytes\": 10e6}'"),
            side("other", "qlora", false, "echo '{\"step_seconds\": [8]}'"));
    assertEquals(
        List.of(
            "round 1 of 2: lora",
            "round 1 of 2: peft",
            "round 1 of 2: other",
            "round 2 of 2: lora",
            "round 2 of 2: peft",
            "round 2 of 2: other"),
        progress.toString().lines().toList());
    assertEquals(
        List.of(Map.of("ours", "lora", "peer", "peft", "step_seconds", 4.0, "peak_rss_bytes", 0.5)),
        report.json().get("ratios"));
    assertTrue(
        report.lines().contains("lora against peft: step 4.00x as fast, peak RSS 0.50 of its"),
        report.lines()::toString);
    assertTrue(
        report.lines().stream().anyMatch(line -> line.matches("lora +2\\.0 \\(1\\.0-9\\.0\\).*")),
        report.lines()::toString);
  }

  @Test
  void aSideIsToldItsJobAndItsEnvironment() {
    Side telling =
        side(
            "a",
            "a",
            true,
            "case \"$1$SEEN\" in *'\"a\":7'*'\"started\":'*1) echo '{\"step_seconds\": 1}';; esac");
    assertEquals(Map.of(), report(1, telling).json().get("failures"));
  }

  @Test
  void aSideThatFailsIsLeftOutAndSaidSo() {
    BenchReport report =
        report(
            2,
            side("a", "a", true, "echo '{\"step_seconds\": 1}'"),
            side("b", "a", false, "echo no room >&2; exit 3"),
            side("c", "a", false, "true"));
    assertEquals(
        Map.of("b", "exit code 3: no room", "c", "exit code 0: without a word"),
        report.json().get("failures"));
    assertFalse(progress.toString().contains("round 2 of 2: b"));
    assertTrue(report.lines().contains("b failed: exit code 3: no room"));
  }
}
