package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.train.optim.OptimizerType;
import dev.panatune.train.schedule.SchedulerType;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingArgumentsTest {
  private static String refused(Map<String, ?> options) {
    return assertThrows(ConfigurationException.class, () -> TrainingArguments.of(options))
        .getMessage();
  }

  @Test
  void theDefaultsAreThoseOfTransformers() {
    TrainingArguments defaults = TrainingArguments.of(Map.of());
    assertEquals(5e-5, defaults.learningRate());
    assertEquals(8, defaults.perDeviceTrainBatchSize());
    assertEquals(3.0, defaults.numTrainEpochs());
    assertEquals(SchedulerType.LINEAR, defaults.lrSchedulerType());
    assertEquals(OptimizerType.ADAMW_TORCH_FUSED, defaults.optim());
    assertEquals(0.0, defaults.weightDecay());
    assertEquals(1e-8, defaults.adamEpsilon());
    assertEquals(1.0, defaults.maxGradNorm());
    assertEquals(500, defaults.loggingSteps());
    assertEquals(SaveStrategy.STEPS, defaults.saveStrategy());
    assertEquals(42, defaults.seed());
    assertEquals(42, defaults.orderSeed());
    assertEquals(Precision.FP32, defaults.precision());
    assertFalse(defaults.evaluatesFirst());
  }

  @Test
  void everyOptionThatIsWrittenIsReadBack() {
    TrainingArguments arguments =
        TrainingArguments.builder()
            .outputDir(Path.of("out"))
            .overwriteOutputDir(true)
            .perDeviceTrainBatchSize(3)
            .perDeviceEvalBatchSize(5)
            .gradientAccumulationSteps(7)
            .numTrainEpochs(1.5)
            .maxSteps(40)
            .learningRate(1e-3)
            .lrSchedulerType(SchedulerType.COSINE)
            .warmupSteps(0.1)
            .optim(OptimizerType.ADAMW_TORCH)
            .weightDecay(0.01)
            .adamBeta1(0.8)
            .adamBeta2(0.95)
            .adamEpsilon(1e-6)
            .maxGradNorm(0.5)
            .bf16(true)
            .gradientCheckpointing(true)
            .loggingSteps(2)
            .loggingFirstStep(true)
            .evalStrategy(IntervalStrategy.STEPS)
            .evalSteps(4)
            .evalDelay(1)
            .evalOnStart(false)
            .saveSteps(8)
            .saveTotalLimit(2)
            .loadBestModelAtEnd(true)
            .metricForBestModel("perplexity")
            .greaterIsBetter(false)
            .seed(1)
            .dataSeed(2)
            .trainSamplingStrategy(SamplingStrategy.GROUP_BY_LENGTH)
            .dataloaderDropLast(true)
            .includeNumInputTokensSeen(TokenCounting.NON_PADDING)
            .useCpu(true)
            .disableTqdm(true)
            .resumeFromCheckpoint("auto")
            .build();
    Map<String, Object> options = arguments.toOptions();
    assertEquals(arguments, TrainingArguments.of(options));
    // fp16, logging_strategy and save_strategy are at their defaults, and written all the same.
    assertEquals(TrainingArguments.class.getRecordComponents().length, options.size());
  }

  @ParameterizedTest
  @CsvSource({
    "evaluation_strategy, steps, eval_strategy, steps",
    "activation_checkpointing, true, gradient_checkpointing, true",
    "warmup_ratio, 0.25, warmup_steps, 0.25",
    "group_by_length, true, train_sampling_strategy, group_by_length"
  })
  void olderNamesAreRead(String older, String value, String name, String wanted) {
    Map<String, Object> options = TrainingArguments.of(Map.of(older, value)).toOptions();
    assertEquals(wanted, options.get(name).toString());
    assertTrue(refused(Map.of(older, value, name, wanted)).contains(older));
  }

  @Test
  void valuesAsYamlGivesThemAreRead() {
    TrainingArguments arguments =
        TrainingArguments.of(
            Map.of(
                "learning_rate",
                "5e-4",
                "num_train_epochs",
                2,
                "max_steps",
                30.0,
                "eval_strategy",
                false,
                "save_strategy",
                "Epoch",
                "save_total_limit",
                2,
                "resume_from_checkpoint",
                true));
    assertEquals(5e-4, arguments.learningRate());
    assertEquals(2.0, arguments.numTrainEpochs());
    assertEquals(30, arguments.maxSteps());
    assertEquals(IntervalStrategy.NO, arguments.evalStrategy());
    assertEquals(SaveStrategy.EPOCH, arguments.saveStrategy());
    assertEquals(OptionalInt.of(2), arguments.saveTotalLimit());
    assertEquals(Optional.of("auto"), arguments.resumeFromCheckpoint());
  }

  @Test
  void anEmptyValueIsTheDefault() {
    assertEquals(
        TrainingArguments.of(Map.of()),
        TrainingArguments.of(Collections.singletonMap("eval_steps", null)));
  }

  @Test
  void evalStepsFollowLoggingSteps() {
    TrainingArguments arguments =
        TrainingArguments.of(Map.of("eval_strategy", "steps", "logging_steps", 25));
    assertEquals(OptionalDouble.of(25), arguments.evalSteps());
    assertTrue(arguments.evaluatesFirst());
  }

  @Test
  void anUnknownNameIsRefusedWithTheNearestOne() {
    String message = refused(Map.of("learning_rte", 1e-4));
    assertTrue(message.contains("'learning_rte'"), message);
    assertTrue(message.contains("did you mean 'learning_rate'?"), message);
  }

  @ParameterizedTest
  @CsvSource({
    "torch_compile, true",
    "neftune_noise_alpha, 5",
    "deepspeed, ds.json",
    "push_to_hub, true",
    "label_smoothing_factor, 0.1",
    "report_to, wandb",
    "dataloader_num_workers, 2"
  })
  void whatTransformersKnowsAndPanatuneDoesNotIsRefusedByName(String name, String value) {
    Object typed = value.equals("true") ? Boolean.TRUE : value;
    String message = refused(Map.of(name, typed));
    assertTrue(message.startsWith(name + ":") && message.contains("not supported"), message);
  }

  @Test
  void valuesThatAskForNothingAreLetPass() {
    assertEquals(
        TrainingArguments.of(Map.of()),
        TrainingArguments.of(
            Map.of(
                "torch_compile",
                false,
                "report_to",
                List.of("none"),
                "label_smoothing_factor",
                0,
                "dataloader_num_workers",
                0,
                "fsdp_config",
                Map.of())));
  }

  @ParameterizedTest
  @CsvSource({
    "optim, adafactor, not supported yet",
    "optim, adamw_trch, did you mean 'adamw_torch'",
    "lr_scheduler_type, polynomial, not supported yet",
    "lr_scheduler_type, cosin, did you mean 'cosine'",
    "train_sampling_strategy, batch_rebalance, not supported yet",
    "eval_strategy, always, must be one of",
    "learning_rate, fast, must be a number",
    "max_steps, 1.5, must be a whole number",
    "bf16, perhaps, must be true or false",
    "learning_rate, -1, must be 0 or a positive number",
    "learning_rate, NaN, must be 0 or a positive number",
    "adam_beta1, 1, below 1",
    "per_device_train_batch_size, 0, at least 1",
    "warmup_steps, 2.5, whole number of steps",
    "warmup_ratio, 1.5, below 1",
    "logging_steps, 0, must be above 0",
    "num_train_epochs, 0, must be above 0",
    "save_total_limit, 0, at least 1"
  })
  void aWrongValueIsNamedWithWhatItMayBe(String name, String value, String wanted) {
    String message = refused(Map.of(name, value));
    assertTrue(message.contains(name) && message.contains(wanted), message);
  }

  @Test
  void combinationsThatCannotBeAreRefused() {
    assertTrue(refused(Map.of("bf16", true, "fp16", true)).contains("choose one"));
    assertTrue(refused(Map.of("save_strategy", "best")).contains("eval_strategy"));
    Map<String, Object> best = Map.of("load_best_model_at_end", true, "eval_strategy", "epoch");
    assertTrue(refused(best).contains("the same"));
    assertTrue(
        refused(
                Map.of(
                    "load_best_model_at_end",
                    true,
                    "eval_strategy",
                    "steps",
                    "eval_steps",
                    3,
                    "save_steps",
                    4))
            .contains("multiple"));
  }

  @Test
  void theBestModelIsTheOneOfLeastLossUnlessSaidOtherwise() {
    assertEquals("eval_loss", TrainingArguments.of(Map.of()).bestMetric());
    assertFalse(TrainingArguments.of(Map.of()).bestIsGreatest());
    TrainingArguments accuracy =
        TrainingArguments.of(Map.of("metric_for_best_model", "eval_token_accuracy"));
    assertEquals("eval_token_accuracy", accuracy.bestMetric());
    assertTrue(accuracy.bestIsGreatest());
  }

  @Test
  void warmupIsANumberOfStepsOrAShare() {
    assertEquals(7, TrainingArguments.builder().warmupSteps(7).build().schedule(100).warmupSteps());
    assertEquals(
        4, TrainingArguments.builder().warmupSteps(0.03).build().schedule(101).warmupSteps());
  }
}
