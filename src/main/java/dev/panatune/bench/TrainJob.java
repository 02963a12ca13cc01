package dev.panatune.bench;

import dev.panatune.tensor.DType;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Training steps of LoRA, r = 16 on all linear layers but the head, with AdamW and gradients
 * clipped to a norm of 1, on random tokens of which each is a target.
 *
 * @param model a Hugging Face directory
 * @param quantized whether the base is held in NF4 with double quantisation (QLoRA)
 * @param dtype of the base's weights and of the products; adapters are trained in float32
 * @param batch rows a step
 * @param length tokens a row
 * @param steps how many
 * @param checkpointing whether layers are computed again in the backward pass
 * @param threads that compute
 * @param floor whether to time the matrix products alone as well
 */
public record TrainJob(
    Path model,
    boolean quantized,
    DType dtype,
    int batch,
    int length,
    int steps,
    boolean checkpointing,
    int threads,
    boolean floor) {
  /** The adapters' rank; their scale is 2. */
  static final int RANK = 16;

  static final long SEED = 42;
  static final double LEARNING_RATE = 2e-4;

  /** Returns how many tokens a step sees. */
  long tokens() {
    return (long) batch * length;
  }

  TrainJob quantized(boolean asked) {
    return new TrainJob(model, asked, dtype, batch, length, steps, checkpointing, threads, floor);
  }

  /** Returns the same in another type. */
  TrainJob in(DType other) {
    return new TrainJob(
        model, quantized, other, batch, length, steps, checkpointing, threads, floor);
  }

  /** Returns what a process of any language is told. */
  Map<String, Object> toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("task", BenchWorker.TRAIN);
    json.put("model", model.toString());
    json.put("quantized", quantized);
    json.put("dtype", dtype.torchName());
    json.put("batch", batch);
    json.put("length", length);
    json.put("steps", steps);
    json.put("checkpointing", checkpointing);
    json.put("threads", threads);
    json.put("floor", floor);
    json.put("rank", RANK);
    json.put("learning_rate", LEARNING_RATE);
    return json;
  }

  static TrainJob of(JobFields job) {
    return new TrainJob(
        Path.of(job.text("model")),
        job.flag("quantized"),
        DType.parse(job.text("dtype")),
        job.number("batch"),
        job.number("length"),
        job.number("steps"),
        job.flag("checkpointing"),
        job.number("threads"),
        job.flag("floor"));
  }
}
