package dev.panatune.cli;

import dev.panatune.bench.BenchReport;
import dev.panatune.bench.PythonPeers;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;
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

  @Option(
      names = "--python",
      paramLabel = "FILE",
      description =
          "The Python that has the peers' packages; that of bench/peers/setup by default.")
  private Path python;

  @Option(
      names = "--peer-dtype",
      paramLabel = "TYPE",
      description = {
        "What Python's side computes in; the same as ours by default. On a CPU without bf16",
        "products its steps take minutes in bf16, and people use fp32."
      })
  private String peerDtype;

  @Option(names = "--alone", description = "Measure Panatune without the peers.")
  private boolean alone;

  @Option(names = "--json", description = "Print one JSON object and nothing else.")
  private boolean json;

  /** The peers' Python, or a line that says how to get one. */
  Optional<PythonPeers> python(PrintWriter progress) {
    if (alone) {
      return Optional.empty();
    }
    Optional<PythonPeers> found =
        PythonPeers.find(
            Optional.ofNullable(python), Optional.ofNullable(peerDtype).map(DTypes::parse));
    if (found.isEmpty()) {
      progress.println(
          "Panatune alone: the peers' Python is not there; bench/peers/setup makes it.");
    }
    return found;
  }

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
