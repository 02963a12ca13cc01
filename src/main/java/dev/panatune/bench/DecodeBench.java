package dev.panatune.bench;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Compares generation, and how models are loaded. */
public final class DecodeBench {
  private static final String DENSE = "dense";
  private static final String NF4 = "nf4";
  private static final String TRANSFORMERS = "generate_transformers.py";
  private static final String LLAMA = "generate_llama.py";
  private static final String PREFILL = "prefill_tokens_per_second";
  private static final String FLOOR = "floor_tokens_per_second";

  private DecodeBench() {}

  /**
   * Measures prompts and the tokens after them.
   *
   * @param job for every side, whatever it says of quantising
   * @param gguf what llama.cpp reads; empty to leave it out
   * @param python what runs the peers; empty for ours alone
   */
  public static BenchReport decode(
      DecodeJob job,
      Optional<GgufForms> gguf,
      Optional<PythonPeers> python,
      int rounds,
      PrintWriter progress) {
    List<Side> sides = sides(job, python);
    python.ifPresent(found ->
        gguf.ifPresent(forms -> {
          sides.add(llama(found, "llama.cpp-bf16", DENSE, forms.dense(), job));
          sides.add(llama(found, "llama.cpp-gguf", NF4, forms.quantized(), job));
        }));
    List<Metric> metrics =
        List.of(
            rate("decode_tokens_per_second", "decode tokens/s"),
            rate(PREFILL, "prefill tokens/s"),
            Metric.told(FLOOR, "GEMM tokens/s", "%.1f", 1, Metric.Ratio.NONE),
            new Metric(
                "prefill_over_floor",
                "prefill/GEMM",
                DecodeBench::shareOfFloor,
                "%.2f",
                1,
                Metric.Ratio.NONE),
            share("peak_rss_bytes", "peak RSS MB", "%.0f", Metric.MB));
    String what =
        "Greedy generation of %s: %s, prompt %d, %d new tokens, %d threads; %d rounds of %d runs"
            .formatted(
                job.model().getFileName(),
                job.dtype().torchName(),
                job.prompt().size(),
                job.newTokens(),
                job.threads(),
                rounds,
                job.runs());
    return BenchReport.of(what, job.toJson(), Alternation.run(sides, rounds, progress), metrics);
  }

  /** Measures the time from a process's start to a loaded model and to its first token. */
  public static BenchReport load(
      DecodeJob job, Optional<PythonPeers> python, int rounds, PrintWriter progress) {
    List<Metric> metrics =
        List.of(
            share("load_seconds", "loaded s", "%.2f", 1),
            share("first_token_seconds", "first token s", "%.2f", 1),
            share("peak_rss_bytes", "peak RSS MB", "%.0f", Metric.MB));
    String what =
        "From the start of a process to a token after one: %s, %s, %d threads; %d rounds"
            .formatted(job.model().getFileName(), job.dtype().torchName(), job.threads(), rounds);
    return BenchReport.of(
        what, job.toJson(), Alternation.run(sides(job, python), rounds, progress), metrics);
  }

  private static List<Side> sides(DecodeJob job, Optional<PythonPeers> python) {
    List<Side> sides = new ArrayList<>();
    for (boolean quantized : new boolean[] {false, true}) {
      String group = quantized ? NF4 : DENSE;
      DecodeJob one = job.quantized(quantized);
      sides.add(Side.ours(group, one.toJson()));
      python.ifPresent(found -> sides.add(transformers(found, group, one)));
    }
    return sides;
  }

  private static Side transformers(PythonPeers python, String group, DecodeJob job) {
    Map<String, Object> told = job.in(python.dtype().orElse(job.dtype())).toJson();
    return python.side("transformers-" + group, group, TRANSFORMERS, Map.of(), told);
  }

  private static Side llama(
      PythonPeers python, String name, String group, Path file, DecodeJob job) {
    Map<String, Object> told = new LinkedHashMap<>(job.toJson());
    told.put("model", file.toString());
    told.put("dtype", file.getFileName().toString());
    return python.side(name, group, LLAMA, Map.of(), told);
  }

  private static Optional<Spread> shareOfFloor(Measured side) {
    return side.spread(FLOOR)
        .flatMap(floor ->
            side.spread(PREFILL)
                .map(prefill -> Spread.of(List.of(prefill.median() / floor.median()))));
  }

  private static Metric rate(String key, String title) {
    return Metric.told(key, title, "%.1f", 1, Metric.Ratio.RATE);
  }

  private static Metric share(String key, String title, String format, double unit) {
    return Metric.told(key, title, format, unit, Metric.Ratio.SHARE);
  }
}
