package dev.panatune.cli;

import dev.panatune.bench.BenchReport;
import java.io.PrintWriter;
import picocli.CommandLine.Option;

/** What all benchmarks have in common. */
final class BenchOptions {
  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute, on every side; the number of cores by default.")
  private Integer threads;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "3",
      description = "Turns of each side; ${DEFAULT-VALUE} by default.")
  private int rounds;

  @Option(names = "--json", description = "Print one JSON object and nothing else.")
  private boolean json;

  int threads() {
    if (threads == null) {
      return Runtime.getRuntime().availableProcessors();
    }
    Limits.atLeast("--threads", threads, 1);
    return threads;
  }

  int rounds() {
    Limits.atLeast("--rounds", rounds, 1);
    return rounds;
  }

  void print(BenchReport report, PrintWriter out) {
    if (json) {
      JsonOutput.print(out, report.json());
    } else {
      report.lines().forEach(out::println);
      out.flush();
    }
  }
}
