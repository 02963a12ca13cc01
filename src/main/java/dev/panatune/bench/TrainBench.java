package dev.panatune.bench;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Compares training steps. */
public final class TrainBench {
  private static final String STEP = "step_seconds";
  private static final String FLOOR = "floor_seconds";
  private static final String PEAK = "peak_seconds";

  private TrainBench() {}

  /**
   * Measures.
   *
   * @param job for every side, whatever it says of quantising
   * @param kinds what of ours takes part
   * @param peers what it is compared with
   * @param python what runs them; empty for ours alone
   * @param rounds turns of each side
   * @param progress takes a line a turn
   */
  public static BenchReport run(
      TrainJob job,
      List<TrainKind> kinds,
      List<TrainPeer> peers,
      Optional<PythonPeers> python,
      int rounds,
      PrintWriter progress) {
    List<Side> sides = new ArrayList<>();
    for (TrainKind kind : kinds) {
      sides.add(Side.ours(kind.id(), kind.of(job).toJson()));
      peers.stream()
          .filter(peer -> peer.kind() == kind)
          .forEach(peer -> python.ifPresent(found -> sides.add(peer.side(found, job))));
    }
    return BenchReport.of(
        describe(job, rounds),
        job.toJson(),
        Alternation.run(sides, rounds, progress),
        metrics(job.tokens()));
  }

  private static String describe(TrainJob job, int rounds) {
    return "Training steps of %s: %s, %d x %d tokens, r = %d, %d threads%s; %d rounds of %d steps, the first not counted"
        .formatted(
            job.model().getFileName(),
            job.dtype().torchName(),
            job.batch(),
            job.length(),
            TrainJob.RANK,
            job.threads(),
            job.checkpointing() ? ", gradient checkpointing" : "",
            rounds,
            job.steps());
  }

  private static List<Metric> metrics(long tokens) {
    return List.of(
        Metric.told(STEP, "step s", "%.3f", 1, Metric.Ratio.SPEEDUP),
        new Metric(
            "tokens_per_second",
            "tokens/s",
            side -> side.spread(STEP).map(step -> one(tokens / step.median())),
            "%.0f",
            1,
            Metric.Ratio.NONE),
        Metric.told("peak_rss_bytes", "peak RSS MB", "%.0f", Metric.MB, Metric.Ratio.SHARE),
        Metric.told("first_step_seconds", "first step s", "%.2f", 1, Metric.Ratio.SHARE),
        Metric.told(FLOOR, "floor s", "%.3f", 1, Metric.Ratio.NONE),
        new Metric(
            "floor_over_step",
            "floor/step",
            side ->
                side.spread(FLOOR)
                    .flatMap(floor ->
                        side.spread(STEP).map(step -> one(floor.median() / step.median()))),
            "%.2f",
            1,
            Metric.Ratio.NONE),
        new Metric(
            "share_of_peak",
            "of GEMM peak",
            side ->
                side.spread(PEAK)
                    .flatMap(
                        peak -> side.spread(STEP).map(step -> one(peak.median() / step.median()))),
            "%.2f",
            1,
            Metric.Ratio.NONE));
  }

  private static Spread one(double value) {
    return Spread.of(List.of(value));
  }
}
