package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.train.optim.OptimizerType;
import dev.panatune.train.schedule.SchedulerType;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Collects {@link TrainingArguments}. It starts with their defaults; what each option means is told
 * there.
 */
public final class TrainingArgumentsBuilder {
  private Path outputDir = Path.of("trainer_output");
  private boolean overwriteOutputDir;
  private int perDeviceTrainBatchSize = 8;
  private int perDeviceEvalBatchSize = 8;
  private int gradientAccumulationSteps = 1;
  private double numTrainEpochs = 3.0;
  private int maxSteps = -1;
  private double learningRate = 5e-5;
  private SchedulerType lrSchedulerType = SchedulerType.LINEAR;
  private double warmupSteps;
  private OptimizerType optim = OptimizerType.ADAMW_TORCH_FUSED;
  private double weightDecay;
  private double adamBeta1 = 0.9;
  private double adamBeta2 = 0.999;
  private double adamEpsilon = 1e-8;
  private double maxGradNorm = 1.0;
  private boolean bf16;
  private boolean fp16;
  private boolean gradientCheckpointing;
  private IntervalStrategy loggingStrategy = IntervalStrategy.STEPS;
  private double loggingSteps = 500;
  private boolean loggingFirstStep;
  private IntervalStrategy evalStrategy = IntervalStrategy.NO;
  private OptionalDouble evalSteps = OptionalDouble.empty();
  private double evalDelay;
  private Optional<Boolean> evalOnStart = Optional.empty();
  private SaveStrategy saveStrategy = SaveStrategy.STEPS;
  private double saveSteps = 500;
  private OptionalInt saveTotalLimit = OptionalInt.empty();
  private boolean loadBestModelAtEnd;
  private Optional<String> metricForBestModel = Optional.empty();
  private Optional<Boolean> greaterIsBetter = Optional.empty();
  private long seed = 42;
  private OptionalLong dataSeed = OptionalLong.empty();
  private SamplingStrategy trainSamplingStrategy = SamplingStrategy.RANDOM;
  private boolean dataloaderDropLast;
  private TokenCounting includeNumInputTokensSeen = TokenCounting.NO;
  private boolean useCpu;
  private boolean disableTqdm;
  private Optional<String> resumeFromCheckpoint = Optional.empty();

  TrainingArgumentsBuilder() {}

  /** Sets {@link TrainingArguments#outputDir}. */
  public TrainingArgumentsBuilder outputDir(Path value) {
    outputDir = value;
    return this;
  }

  /** Sets {@link TrainingArguments#overwriteOutputDir}. */
  public TrainingArgumentsBuilder overwriteOutputDir(boolean value) {
    overwriteOutputDir = value;
    return this;
  }

  /** Sets {@link TrainingArguments#perDeviceTrainBatchSize}. */
  public TrainingArgumentsBuilder perDeviceTrainBatchSize(int value) {
    perDeviceTrainBatchSize = value;
    return this;
  }

  /** Sets {@link TrainingArguments#perDeviceEvalBatchSize}. */
  public TrainingArgumentsBuilder perDeviceEvalBatchSize(int value) {
    perDeviceEvalBatchSize = value;
    return this;
  }

  /** Sets {@link TrainingArguments#gradientAccumulationSteps}. */
  public TrainingArgumentsBuilder gradientAccumulationSteps(int value) {
    gradientAccumulationSteps = value;
    return this;
  }

  /** Sets {@link TrainingArguments#numTrainEpochs}. */
  public TrainingArgumentsBuilder numTrainEpochs(double value) {
    numTrainEpochs = value;
    return this;
  }

  /** Sets {@link TrainingArguments#maxSteps}. */
  public TrainingArgumentsBuilder maxSteps(int value) {
    maxSteps = value;
    return this;
  }

  /** Sets {@link TrainingArguments#learningRate}. */
  public TrainingArgumentsBuilder learningRate(double value) {
    learningRate = value;
    return this;
  }

  /** Sets {@link TrainingArguments#lrSchedulerType}. */
  public TrainingArgumentsBuilder lrSchedulerType(SchedulerType value) {
    lrSchedulerType = value;
    return this;
  }

  /** Sets {@link TrainingArguments#warmupSteps}. */
  public TrainingArgumentsBuilder warmupSteps(double value) {
    warmupSteps = value;
    return this;
  }

  /** Sets {@link TrainingArguments#optim}. */
  public TrainingArgumentsBuilder optim(OptimizerType value) {
    optim = value;
    return this;
  }

  /** Sets {@link TrainingArguments#weightDecay}. */
  public TrainingArgumentsBuilder weightDecay(double value) {
    weightDecay = value;
    return this;
  }

  /** Sets {@link TrainingArguments#adamBeta1}. */
  public TrainingArgumentsBuilder adamBeta1(double value) {
    adamBeta1 = value;
    return this;
  }

  /** Sets {@link TrainingArguments#adamBeta2}. */
  public TrainingArgumentsBuilder adamBeta2(double value) {
    adamBeta2 = value;
    return this;
  }

  /** Sets {@link TrainingArguments#adamEpsilon}. */
  public TrainingArgumentsBuilder adamEpsilon(double value) {
    adamEpsilon = value;
    return this;
  }

  /** Sets {@link TrainingArguments#maxGradNorm}. */
  public TrainingArgumentsBuilder maxGradNorm(double value) {
    maxGradNorm = value;
    return this;
  }

  /** Sets {@link TrainingArguments#bf16}. */
  public TrainingArgumentsBuilder bf16(boolean value) {
    bf16 = value;
    return this;
  }

  /** Sets {@link TrainingArguments#fp16}. */
  public TrainingArgumentsBuilder fp16(boolean value) {
    fp16 = value;
    return this;
  }

  /** Sets {@link TrainingArguments#gradientCheckpointing}. */
  public TrainingArgumentsBuilder gradientCheckpointing(boolean value) {
    gradientCheckpointing = value;
    return this;
  }

  /** Sets {@link TrainingArguments#loggingStrategy}. */
  public TrainingArgumentsBuilder loggingStrategy(IntervalStrategy value) {
    loggingStrategy = value;
    return this;
  }

  /** Sets {@link TrainingArguments#loggingSteps}. */
  public TrainingArgumentsBuilder loggingSteps(double value) {
    loggingSteps = value;
    return this;
  }

  /** Sets {@link TrainingArguments#loggingFirstStep}. */
  public TrainingArgumentsBuilder loggingFirstStep(boolean value) {
    loggingFirstStep = value;
    return this;
  }

  /** Sets {@link TrainingArguments#evalStrategy}. */
  public TrainingArgumentsBuilder evalStrategy(IntervalStrategy value) {
    evalStrategy = value;
    return this;
  }

  /** Sets {@link TrainingArguments#evalSteps}. */
  public TrainingArgumentsBuilder evalSteps(double value) {
    evalSteps = OptionalDouble.of(value);
    return this;
  }

  /** Sets {@link TrainingArguments#evalDelay}. */
  public TrainingArgumentsBuilder evalDelay(double value) {
    evalDelay = value;
    return this;
  }

  /** Sets {@link TrainingArguments#evalOnStart}. */
  public TrainingArgumentsBuilder evalOnStart(boolean value) {
    evalOnStart = Optional.of(value);
    return this;
  }

  /** Sets {@link TrainingArguments#saveStrategy}. */
  public TrainingArgumentsBuilder saveStrategy(SaveStrategy value) {
    saveStrategy = value;
    return this;
  }

  /** Sets {@link TrainingArguments#saveSteps}. */
  public TrainingArgumentsBuilder saveSteps(double value) {
    saveSteps = value;
    return this;
  }

  /** Sets {@link TrainingArguments#saveTotalLimit}. */
  public TrainingArgumentsBuilder saveTotalLimit(int value) {
    saveTotalLimit = OptionalInt.of(value);
    return this;
  }

  /** Sets {@link TrainingArguments#loadBestModelAtEnd}. */
  public TrainingArgumentsBuilder loadBestModelAtEnd(boolean value) {
    loadBestModelAtEnd = value;
    return this;
  }

  /** Sets {@link TrainingArguments#metricForBestModel}. */
  public TrainingArgumentsBuilder metricForBestModel(String value) {
    metricForBestModel = Optional.of(value);
    return this;
  }

  /** Sets {@link TrainingArguments#greaterIsBetter}. */
  public TrainingArgumentsBuilder greaterIsBetter(boolean value) {
    greaterIsBetter = Optional.of(value);
    return this;
  }

  /** Sets {@link TrainingArguments#seed}. */
  public TrainingArgumentsBuilder seed(long value) {
    seed = value;
    return this;
  }

  /** Sets {@link TrainingArguments#dataSeed}. */
  public TrainingArgumentsBuilder dataSeed(long value) {
    dataSeed = OptionalLong.of(value);
    return this;
  }

  /** Sets {@link TrainingArguments#trainSamplingStrategy}. */
  public TrainingArgumentsBuilder trainSamplingStrategy(SamplingStrategy value) {
    trainSamplingStrategy = value;
    return this;
  }

  /** Sets {@link TrainingArguments#dataloaderDropLast}. */
  public TrainingArgumentsBuilder dataloaderDropLast(boolean value) {
    dataloaderDropLast = value;
    return this;
  }

  /** Sets {@link TrainingArguments#includeNumInputTokensSeen}. */
  public TrainingArgumentsBuilder includeNumInputTokensSeen(TokenCounting value) {
    includeNumInputTokensSeen = value;
    return this;
  }

  /** Sets {@link TrainingArguments#useCpu}. */
  public TrainingArgumentsBuilder useCpu(boolean value) {
    useCpu = value;
    return this;
  }

  /** Sets {@link TrainingArguments#disableTqdm}. */
  public TrainingArgumentsBuilder disableTqdm(boolean value) {
    disableTqdm = value;
    return this;
  }

  /** Sets {@link TrainingArguments#resumeFromCheckpoint}. */
  public TrainingArgumentsBuilder resumeFromCheckpoint(String value) {
    resumeFromCheckpoint = Optional.of(value);
    return this;
  }

  /**
   * Checks and builds.
   *
   * @throws ConfigurationException naming the option, its value and what it may be
   */
  public TrainingArguments build() {
    return new TrainingArguments(
        outputDir,
        overwriteOutputDir,
        perDeviceTrainBatchSize,
        perDeviceEvalBatchSize,
        gradientAccumulationSteps,
        numTrainEpochs,
        maxSteps,
        learningRate,
        lrSchedulerType,
        warmupSteps,
        optim,
        weightDecay,
        adamBeta1,
        adamBeta2,
        adamEpsilon,
        maxGradNorm,
        bf16,
        fp16,
        gradientCheckpointing,
        loggingStrategy,
        loggingSteps,
        loggingFirstStep,
        evalStrategy,
        evalSteps,
        evalDelay,
        evalOnStart,
        saveStrategy,
        saveSteps,
        saveTotalLimit,
        loadBestModelAtEnd,
        metricForBestModel,
        greaterIsBetter,
        seed,
        dataSeed,
        trainSamplingStrategy,
        dataloaderDropLast,
        includeNumInputTokensSeen,
        useCpu,
        disableTqdm,
        resumeFromCheckpoint);
  }
}
