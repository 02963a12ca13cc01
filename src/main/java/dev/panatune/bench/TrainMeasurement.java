package dev.panatune.bench;

import dev.panatune.data.Example;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.LoraConfig;
import dev.panatune.peft.PeftModel;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.AdapterTraining;
import dev.panatune.train.IntervalStrategy;
import dev.panatune.train.SaveStrategy;
import dev.panatune.train.Trainer;
import dev.panatune.train.TrainingArguments;
import dev.panatune.train.callback.TrainerCallback;
import dev.panatune.train.callback.TrainingProgress;
import dev.panatune.train.schedule.SchedulerType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Trains in this process, by the library's own trainer, and notes when each step ended. */
final class TrainMeasurement {
  /** In how many of the adapter's tensors a gradient was seen: "210 of 210 tensors". */
  static final String GRADIENTS = "adapter_gradients_in";

  private TrainMeasurement() {}

  /** Notes the time and the memory at the end of every step. */
  private static final class StepEnds implements TrainerCallback {
    private final List<Double> losses = new ArrayList<>();
    private final List<Double> seconds = new ArrayList<>();
    private long last;
    private double firstEnd;
    private long liveAfterFirst;
    private long residentAfterFirst;
    private long liveAfterLast;
    private long residentAfterLast;

    @Override
    public void onStepEnd(TrainingProgress progress) {
      long now = System.nanoTime();
      if (losses.isEmpty()) {
        firstEnd = System.currentTimeMillis() / 1e3;
        liveAfterFirst = NativeMemory.liveBytes();
        residentAfterFirst = PeakMemory.resident().orElse(0);
      } else {
        seconds.add((now - last) / 1e9);
      }
      if (progress.step() == progress.maxSteps()) {
        liveAfterLast = NativeMemory.liveBytes();
        residentAfterLast = PeakMemory.resident().orElse(0);
      }
      losses.add(progress.loss());
      last = System.nanoTime();
    }
  }

  /**
   * Runs a job.
   *
   * @param started when this process was started, in seconds since 1970
   */
  static Map<String, Object> run(TrainJob job, double started) {
    LoadOptions options = LoadOptions.stored().withDtype(job.dtype());
    if (job.quantized()) {
      options = options.withQuantization(QuantConfig.qlora(job.dtype()));
    }
    try (PretrainedModel pretrained = PretrainedModel.load(job.model(), options)) {
      double loaded = System.currentTimeMillis() / 1e3;
      List<GemmFloor.Shape> products = GemmFloor.shapes(pretrained.model());
      Rng.seed(TrainJob.SEED);
      PeftModel adapter =
          PeftModel.create(pretrained, LoraConfig.of(TrainJob.RANK, 2.0 * TrainJob.RANK));
      Map<String, Double> fresh = norms(adapter);
      StepEnds ends = new StepEnds();
      Trainer.of(new AdapterTraining(adapter, null), arguments(job))
          .trainOn(examples(job, pretrained.model().config().vocabSize()))
          .callback(ends)
          .train();

      Map<String, Object> result = new LinkedHashMap<>();
      result.put("load_seconds", loaded - started);
      result.put("first_step_seconds", ends.firstEnd - started);
      result.put("step_seconds", ends.seconds);
      result.put("losses", ends.losses);
      // B is zero at first, so that A has no gradient before the second step.
      if (job.steps() > 1) {
        result.put(GRADIENTS, moved(fresh, norms(adapter)));
      }
      PeakMemory.peak().ifPresent(bytes -> result.put("peak_rss_bytes", bytes));
      result.put("live_bytes_after_first_step", ends.liveAfterFirst);
      result.put("live_bytes_after_last_step", ends.liveAfterLast);
      result.put("rss_bytes_after_first_step", ends.residentAfterFirst);
      result.put("rss_bytes_after_last_step", ends.residentAfterLast);
      if (job.floor()) {
        result.putAll(GemmFloor.measure(products, job.tokens(), job.dtype()));
      }
      return result;
    }
  }

  /** Without weight decay a tensor moves where its gradient is not zero, and nowhere else. */
  private static String moved(Map<String, Double> before, Map<String, Double> after) {
    long count = after.keySet().stream().filter(n -> !after.get(n).equals(before.get(n))).count();
    return "%d of %d tensors".formatted(count, after.size());
  }

  private static Map<String, Double> norms(PeftModel adapter) {
    Map<String, Double> norms = new LinkedHashMap<>();
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      adapter
          .parameters()
          .forEach((name, tensor) -> norms.put(name, tensor.to(DType.FLOAT64).norm().item()));
    }
    return norms;
  }

  private static TrainingArguments arguments(TrainJob job) {
    return TrainingArguments.builder()
        .outputDir(
            Path.of(
                System.getProperty("java.io.tmpdir"),
                "panatune-bench-" + ProcessHandle.current().pid()))
        .maxSteps(job.steps())
        .perDeviceTrainBatchSize(job.batch())
        .learningRate(TrainJob.LEARNING_RATE)
        .lrSchedulerType(SchedulerType.CONSTANT)
        .bf16(job.dtype() == DType.BFLOAT16)
        .gradientCheckpointing(job.checkpointing())
        .loggingStrategy(IntervalStrategy.NO)
        .saveStrategy(SaveStrategy.NO)
        .seed(TrainJob.SEED)
        .build();
  }

  /** The rows of one step; a run goes through them again and again. */
  private static List<Example> examples(TrainJob job, int vocabulary) {
    SplittableRandom random = new SplittableRandom(TrainJob.SEED);
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < job.batch(); i++) {
      int[] ids = random.ints(job.length(), 0, vocabulary).toArray();
      examples.add(new Example(ids, ids.clone()));
    }
    return examples;
  }
}
