package dev.panatune.bench;

import dev.panatune.format.StrictJson;
import dev.panatune.tensor.DType;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Greedy generation with a cache of keys and values, one text at a time, that no token ends.
 *
 * @param model a Hugging Face directory
 * @param quantized whether its linear layers are held in NF4 with double quantisation
 * @param dtype of the weights and of the products
 * @param prompt token ids
 * @param newTokens how many are generated
 * @param runs how often, after one run that is not counted; 0 to load and compute one token alone
 * @param threads that compute
 */
public record DecodeJob(
    Path model,
    boolean quantized,
    DType dtype,
    List<Integer> prompt,
    int newTokens,
    int runs,
    int threads) {
  private static final long SEED = 42;

  /** Returns a prompt of random tokens of a model. */
  public static List<Integer> randomPrompt(Path directory, int length) {
    Path config = directory.resolve("config.json");
    int vocabulary = ((Number) StrictJson.readObject(config).get("vocab_size")).intValue();
    return new SplittableRandom(SEED).ints(length, 0, vocabulary).boxed().toList();
  }

  DecodeJob quantized(boolean asked) {
    return new DecodeJob(model, asked, dtype, prompt, newTokens, runs, threads);
  }

  /** Returns the same in another type. */
  DecodeJob in(DType other) {
    return new DecodeJob(model, quantized, other, prompt, newTokens, runs, threads);
  }

  int[] promptIds() {
    return prompt.stream().mapToInt(Integer::intValue).toArray();
  }

  /** Returns what a process of any language is told. */
  Map<String, Object> toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("task", BenchWorker.DECODE);
    json.put("model", model.toString());
    json.put("quantized", quantized);
    json.put("dtype", dtype.torchName());
    json.put("prompt", prompt);
    json.put("new_tokens", newTokens);
    json.put("runs", runs);
    json.put("threads", threads);
    return json;
  }

  static DecodeJob of(JobFields job) {
    return new DecodeJob(
        Path.of(job.text("model")),
        job.flag("quantized"),
        DType.parse(job.text("dtype")),
        job.numbers("prompt"),
        job.number("new_tokens"),
        job.number("runs"),
        job.number("threads"));
  }
}
