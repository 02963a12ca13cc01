package dev.panatune.bench;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Compares what a call costs beside the work. */
public final class OpsBench {
  private static final String OPS = "ops";

  private OpsBench() {}

  /** Measures an addition of two 2x2 tensors, its result freed, and a look at an extent. */
  public static BenchReport run(
      Optional<PythonPeers> python, int threads, int rounds, PrintWriter progress) {
    Map<String, Object> job = Map.of("task", BenchWorker.OPS, "threads", threads);
    List<Side> sides = new ArrayList<>(List.of(Side.ours(OPS, job)));
    python.ifPresent(found -> sides.add(found.side("torch", OPS, "tensor_ops.py", Map.of(), job)));
    return BenchReport.of(
        "One call, the least of ten times 200,000; %d rounds".formatted(rounds),
        job,
        Alternation.run(sides, rounds, progress),
        List.of(
            Metric.told("addAndFree", "add and free ns", "%.0f", 1, Metric.Ratio.SPEEDUP),
            Metric.told("readMetadata", "read an extent ns", "%.0f", 1, Metric.Ratio.SPEEDUP)));
  }
}
