package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.train.optim.OptimizerType;
import dev.panatune.train.schedule.LearningRateSchedule;
import dev.panatune.train.schedule.SchedulerType;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SequencedMap;

/**
 * How a run trains. Names, meanings and defaults are those of transformers' {@code
 * TrainingArguments}; where one differs, its description says so.
 *
 * @param outputDir where checkpoints go, as {@code checkpoint-N} directories
 * @param overwriteOutputDir whether a new run may delete the checkpoints that an earlier one left
 *     in {@code outputDir}; without it such a run is refused
 * @param perDeviceTrainBatchSize examples in a micro-batch
 * @param perDeviceEvalBatchSize examples in a batch of an evaluation
 * @param gradientAccumulationSteps micro-batches in an update
 * @param numTrainEpochs how often the data is gone through; may have a fraction
 * @param maxSteps number of updates; above 0 it overrides {@code numTrainEpochs}
 * @param learningRate the base learning rate
 * @param lrSchedulerType how the learning rate moves
 * @param warmupSteps updates over which the learning rate rises from 0; below 1 a share of all
 * @param optim the optimizer
 * @param weightDecay decoupled weight decay, of everything but biases and norms
 * @param adamBeta1 decay of the first moment
 * @param adamBeta2 decay of the second moment
 * @param adamEpsilon what is added to the denominator
 * @param maxGradNorm the norm that gradients are clipped to; 0 for no clipping
 * @param bf16 whether to compute in bfloat16 (the masters stay float32)
 * @param fp16 whether to compute in float16 with a gradient scaler
 * @param gradientCheckpointing whether to keep only every layer's input, and to compute the layer
 *     again in the backward pass
 * @param loggingStrategy when to log
 * @param loggingSteps updates between two lines of the log; below 1 a share of all
 * @param loggingFirstStep whether to log the first update too
 * @param evalStrategy when to evaluate
 * @param evalSteps updates between two evaluations; below 1 a share of all; {@code loggingSteps}
 *     where empty
 * @param evalDelay updates or epochs (as {@code evalStrategy} counts) before the first evaluation
 * @param evalOnStart whether to evaluate before the first update; empty means: if {@code
 *     evalStrategy} is not {@code no} (transformers' default is not to)
 * @param saveStrategy when to write a checkpoint
 * @param saveSteps updates between two checkpoints; below 1 a share of all
 * @param saveTotalLimit how many checkpoints to keep; the newest and the best are never deleted
 * @param loadBestModelAtEnd whether the run ends with the weights of its best evaluation
 * @param metricForBestModel the metric that says what is best; {@code loss} where empty
 * @param greaterIsBetter whether a greater metric is better; where empty, unless the metric's name
 *     ends with {@code loss} or {@code perplexity}
 * @param seed seeds dropout, and the data's order where {@code dataSeed} is empty
 * @param dataSeed seeds the data's order
 * @param trainSamplingStrategy the data's order
 * @param dataloaderDropLast whether to leave out an epoch's last micro-batch if it is not full
 * @param includeNumInputTokensSeen which input tokens the log counts
 * @param useCpu whether to train on the CPU even where there is an accelerator
 * @param disableTqdm whether to show no progress bar
 * @param resumeFromCheckpoint where to go on: {@code auto}, or a checkpoint's directory
 */
public record TrainingArguments(
    Path outputDir,
    boolean overwriteOutputDir,
    int perDeviceTrainBatchSize,
    int perDeviceEvalBatchSize,
    int gradientAccumulationSteps,
    double numTrainEpochs,
    int maxSteps,
    double learningRate,
    SchedulerType lrSchedulerType,
    double warmupSteps,
    OptimizerType optim,
    double weightDecay,
    double adamBeta1,
    double adamBeta2,
    double adamEpsilon,
    double maxGradNorm,
    boolean bf16,
    boolean fp16,
    boolean gradientCheckpointing,
    IntervalStrategy loggingStrategy,
    double loggingSteps,
    boolean loggingFirstStep,
    IntervalStrategy evalStrategy,
    OptionalDouble evalSteps,
    double evalDelay,
    Optional<Boolean> evalOnStart,
    SaveStrategy saveStrategy,
    double saveSteps,
    OptionalInt saveTotalLimit,
    boolean loadBestModelAtEnd,
    Optional<String> metricForBestModel,
    Optional<Boolean> greaterIsBetter,
    long seed,
    OptionalLong dataSeed,
    SamplingStrategy trainSamplingStrategy,
    boolean dataloaderDropLast,
    TokenCounting includeNumInputTokensSeen,
    boolean useCpu,
    boolean disableTqdm,
    Optional<String> resumeFromCheckpoint) {

  /**
   * Checks the values, each by itself and together.
   *
   * @throws ConfigurationException naming the option, its value and what it may be
   */
  public TrainingArguments {
    ArgumentChecks.positive("per_device_train_batch_size", perDeviceTrainBatchSize);
    ArgumentChecks.positive("per_device_eval_batch_size", perDeviceEvalBatchSize);
    ArgumentChecks.positive("gradient_accumulation_steps", gradientAccumulationSteps);
    ArgumentChecks.atLeastZero("learning_rate", learningRate);
    ArgumentChecks.interval("warmup_steps", warmupSteps);
    ArgumentChecks.atLeastZero("weight_decay", weightDecay);
    ArgumentChecks.fraction("adam_beta1", adamBeta1);
    ArgumentChecks.fraction("adam_beta2", adamBeta2);
    ArgumentChecks.atLeastZero("adam_epsilon", adamEpsilon);
    ArgumentChecks.atLeastZero("max_grad_norm", maxGradNorm);
    ArgumentChecks.atLeastZero("eval_delay", evalDelay);
    ArgumentChecks.length(maxSteps, numTrainEpochs);
    ArgumentChecks.precision(bf16, fp16);
    ArgumentChecks.steps(loggingStrategy == IntervalStrategy.STEPS, "logging_steps", loggingSteps);
    ArgumentChecks.steps(saveStrategy == SaveStrategy.STEPS, "save_steps", saveSteps);
    if (evalStrategy == IntervalStrategy.STEPS) {
      evalSteps = evalSteps.isPresent() ? evalSteps : OptionalDouble.of(loggingSteps);
      ArgumentChecks.steps(true, "eval_steps", evalSteps.getAsDouble());
    }
    saveTotalLimit.ifPresent(limit -> ArgumentChecks.positive("save_total_limit", limit));
    ArgumentChecks.best(
        loadBestModelAtEnd, evalStrategy, saveStrategy, evalSteps.orElse(loggingSteps), saveSteps);
  }

  /** A builder that starts with the defaults. */
  public static TrainingArgumentsBuilder builder() {
    return new TrainingArgumentsBuilder();
  }

  /**
   * Reads options under their Python names, as a YAML file has them.
   *
   * @throws ConfigurationException for an unknown name (with the nearest known one), a name that
   *     transformers knows and this library does not support, a value of a wrong type
   */
  public static TrainingArguments of(Map<String, ?> options) {
    return TrainingOptions.read(options).build();
  }

  /** All options under their Python names; {@link #of} reads them back. Empty ones are left out. */
  public SequencedMap<String, Object> toOptions() {
    return TrainingOptions.write(this);
  }

  /** The learning rates of a run of {@code totalSteps} updates. */
  public LearningRateSchedule schedule(int totalSteps) {
    int warmup = warmupSteps >= 1 ? (int) warmupSteps : (int) Math.ceil(totalSteps * warmupSteps);
    return new LearningRateSchedule(lrSchedulerType, learningRate, warmup, totalSteps);
  }

  /** The type to compute in. */
  public Precision precision() {
    if (bf16) {
      return Precision.BF16;
    }
    return fp16 ? Precision.FP16 : Precision.FP32;
  }

  /** Whether a run evaluates before its first update. */
  public boolean evaluatesFirst() {
    return evalOnStart.orElse(evalStrategy != IntervalStrategy.NO);
  }

  /** The seed of the data's order. */
  public long orderSeed() {
    return dataSeed.orElse(seed);
  }

  /** The log's key of the metric that says which model is best. */
  public String bestMetric() {
    String metric = metricForBestModel.orElse("loss");
    return metric.startsWith("eval_") ? metric : "eval_" + metric;
  }

  /** Whether a greater {@link #bestMetric} is better. */
  public boolean bestIsGreatest() {
    String metric = bestMetric();
    return greaterIsBetter.orElse(!metric.endsWith("loss") && !metric.endsWith("perplexity"));
  }
}
