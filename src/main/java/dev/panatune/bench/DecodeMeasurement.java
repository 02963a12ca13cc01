package dev.panatune.bench;

import dev.panatune.generate.GenerationConfig;
import dev.panatune.generate.GenerationResult;
import dev.panatune.generate.Generator;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.quant.QuantConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Loads a model and generates in this process, by the library's own generator. */
final class DecodeMeasurement {
  private DecodeMeasurement() {}

  /**
   * Runs a job.
   *
   * @param started when this process was started, in seconds since 1970
   */
  static Map<String, Object> run(DecodeJob job, double started) {
    LoadOptions options = LoadOptions.stored().withDtype(job.dtype());
    if (job.quantized()) {
      options = options.withQuantization(QuantConfig.qlora(job.dtype()));
    }
    Map<String, Object> result = new LinkedHashMap<>();
    try (PretrainedModel model = PretrainedModel.load(job.model(), options)) {
      result.put("load_seconds", System.currentTimeMillis() / 1e3 - started);
      Generator generator = new Generator(model.model(), model.tokenizer(), Set.of());
      int[] prompt = job.promptIds();
      generator.generate(prompt, GenerationConfig.greedy(1));
      result.put("first_token_seconds", System.currentTimeMillis() / 1e3 - started);
      if (job.runs() > 0) {
        result.putAll(runs(job, generator, prompt));
      }
      PeakMemory.peak().ifPresent(bytes -> result.put("peak_rss_bytes", bytes));
      if (job.runs() > 0) {
        double floor =
            GemmFloor.forwardSeconds(
                GemmFloor.shapesBelowHead(model.model()), prompt.length, job.dtype());
        result.put("floor_tokens_per_second", prompt.length / floor);
      }
    }
    return result;
  }

  private static Map<String, Object> runs(DecodeJob job, Generator generator, int[] prompt) {
    List<Double> prefill = new ArrayList<>();
    List<Double> decode = new ArrayList<>();
    GenerationResult last = null;
    for (int run = 0; run <= job.runs(); run++) {
      double first = generator.generate(prompt, GenerationConfig.greedy(1)).seconds();
      last = generator.generate(prompt, GenerationConfig.greedy(job.newTokens()));
      if (run > 0) {
        prefill.add(prompt.length / first);
        decode.add((job.newTokens() - 1) / (last.seconds() - first));
      }
    }
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("prefill_tokens_per_second", prefill);
    result.put("decode_tokens_per_second", decode);
    result.put("token_ids", last.tokenIds());
    return result;
  }
}
