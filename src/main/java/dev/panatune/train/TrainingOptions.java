package dev.panatune.train;

import static java.util.Map.entry;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import dev.panatune.train.optim.OptimizerType;
import dev.panatune.train.schedule.SchedulerType;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.function.BiConsumer;

/** Translates between {@link TrainingArguments} and options under their Python names. */
final class TrainingOptions {
  private static final Map<String, BiConsumer<TrainingArgumentsBuilder, OptionValue>> SETTERS =
      Map.ofEntries(
          entry("output_dir", (b, v) -> b.outputDir(Path.of(v.text()))),
          entry("overwrite_output_dir", (b, v) -> b.overwriteOutputDir(v.flag())),
          entry("per_device_train_batch_size", (b, v) -> b.perDeviceTrainBatchSize(v.integer())),
          entry("per_device_eval_batch_size", (b, v) -> b.perDeviceEvalBatchSize(v.integer())),
          entry("gradient_accumulation_steps", (b, v) -> b.gradientAccumulationSteps(v.integer())),
          entry("num_train_epochs", (b, v) -> b.numTrainEpochs(v.number())),
          entry("max_steps", (b, v) -> b.maxSteps(v.integer())),
          entry("learning_rate", (b, v) -> b.learningRate(v.number())),
          entry(
              "lr_scheduler_type",
              (b, v) ->
                  b.lrSchedulerType(v.choice(SchedulerType.class, UnsupportedOptions.SCHEDULERS))),
          entry("warmup_steps", (b, v) -> b.warmupSteps(v.number())),
          entry("warmup_ratio", (b, v) -> b.warmupSteps(ratio(v))),
          entry(
              "optim",
              (b, v) -> b.optim(v.choice(OptimizerType.class, UnsupportedOptions.OPTIMIZERS))),
          entry("weight_decay", (b, v) -> b.weightDecay(v.number())),
          entry("adam_beta1", (b, v) -> b.adamBeta1(v.number())),
          entry("adam_beta2", (b, v) -> b.adamBeta2(v.number())),
          entry("adam_epsilon", (b, v) -> b.adamEpsilon(v.number())),
          entry("max_grad_norm", (b, v) -> b.maxGradNorm(v.number())),
          entry("bf16", (b, v) -> b.bf16(v.flag())),
          entry("fp16", (b, v) -> b.fp16(v.flag())),
          entry("gradient_checkpointing", (b, v) -> b.gradientCheckpointing(v.flag())),
          entry("activation_checkpointing", (b, v) -> b.gradientCheckpointing(v.flag())),
          entry("logging_strategy", (b, v) -> b.loggingStrategy(interval(v))),
          entry("logging_steps", (b, v) -> b.loggingSteps(v.number())),
          entry("logging_first_step", (b, v) -> b.loggingFirstStep(v.flag())),
          entry("eval_strategy", (b, v) -> b.evalStrategy(interval(v))),
          entry("evaluation_strategy", (b, v) -> b.evalStrategy(interval(v))),
          entry("eval_steps", (b, v) -> b.evalSteps(v.number())),
          entry("eval_delay", (b, v) -> b.evalDelay(v.number())),
          entry("eval_on_start", (b, v) -> b.evalOnStart(v.flag())),
          entry("save_strategy", (b, v) -> b.saveStrategy(v.choice(SaveStrategy.class, List.of()))),
          entry("save_steps", (b, v) -> b.saveSteps(v.number())),
          entry("save_total_limit", (b, v) -> b.saveTotalLimit(v.integer())),
          entry("load_best_model_at_end", (b, v) -> b.loadBestModelAtEnd(v.flag())),
          entry("metric_for_best_model", (b, v) -> b.metricForBestModel(v.text())),
          entry("greater_is_better", (b, v) -> b.greaterIsBetter(v.flag())),
          entry("seed", (b, v) -> b.seed(v.whole())),
          entry("data_seed", (b, v) -> b.dataSeed(v.whole())),
          entry(
              "train_sampling_strategy",
              (b, v) ->
                  b.trainSamplingStrategy(
                      v.choice(SamplingStrategy.class, UnsupportedOptions.SAMPLING_STRATEGIES))),
          entry("group_by_length", TrainingOptions::groupByLength),
          entry("dataloader_drop_last", (b, v) -> b.dataloaderDropLast(v.flag())),
          entry("include_num_input_tokens_seen", TrainingOptions::countTokens),
          entry("use_cpu", (b, v) -> b.useCpu(v.flag())),
          entry("disable_tqdm", (b, v) -> b.disableTqdm(v.flag())),
          entry("resume_from_checkpoint", TrainingOptions::resume));

  /** Names of the same option: one run may give only one of them. */
  private static final List<List<String>> SAME =
      List.of(
          List.of("warmup_steps", "warmup_ratio"),
          List.of("gradient_checkpointing", "activation_checkpointing"),
          List.of("eval_strategy", "evaluation_strategy"),
          List.of("train_sampling_strategy", "group_by_length"));

  private TrainingOptions() {}

  static TrainingArgumentsBuilder read(Map<String, ?> options) {
    for (List<String> names : SAME) {
      if (names.stream().filter(name -> options.get(name) != null).count() > 1) {
        throw new ConfigurationException(
            names.get(0) + " and " + names.get(1) + " say the same thing; give one of them");
      }
    }
    TrainingArgumentsBuilder builder = new TrainingArgumentsBuilder();
    options.forEach((name, value) -> {
      BiConsumer<TrainingArgumentsBuilder, OptionValue> setter = SETTERS.get(name);
      if (setter == null) {
        UnsupportedOptions.check(name, value, () -> unknown(name));
      } else if (value != null) {
        setter.accept(builder, new OptionValue(name, value));
      }
    });
    return builder;
  }

  static SequencedMap<String, Object> write(TrainingArguments arguments) {
    SequencedMap<String, Object> options = new LinkedHashMap<>();
    for (RecordComponent component : TrainingArguments.class.getRecordComponents()) {
      plain(valueOf(component, arguments))
          .ifPresent(value -> options.put(snakeCase(component.getName()), value));
    }
    return options;
  }

  /** How an option's value is written: the constant's name in lower case. */
  static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  private static ConfigurationException unknown(String name) {
    List<String> known = new ArrayList<>(SETTERS.keySet());
    known.addAll(UnsupportedOptions.names());
    known.sort(null);
    return new ConfigurationException(
        "unknown training option '"
            + name
            + "'"
            + Suggestion.nearest(name, known)
                .map(near -> "; did you mean '" + near + "'?")
                .orElse("; the names are those of transformers' TrainingArguments"));
  }

  private static IntervalStrategy interval(OptionValue value) {
    return value.choice(IntervalStrategy.class, List.of());
  }

  private static double ratio(OptionValue value) {
    double ratio = value.number();
    if (!(ratio >= 0 && ratio < 1)) {
      throw new ConfigurationException(
          "warmup_ratio is " + ratio + "; it must be at least 0 and below 1 (steps: warmup_steps)");
    }
    return ratio;
  }

  private static void groupByLength(TrainingArgumentsBuilder builder, OptionValue value) {
    if (value.flag()) {
      builder.trainSamplingStrategy(SamplingStrategy.GROUP_BY_LENGTH);
    }
  }

  private static void countTokens(TrainingArgumentsBuilder builder, OptionValue value) {
    builder.includeNumInputTokensSeen(
        Boolean.TRUE.equals(value.value())
            ? TokenCounting.ALL
            : value.choice(TokenCounting.class, List.of()));
  }

  private static void resume(TrainingArgumentsBuilder builder, OptionValue value) {
    if (value.value() instanceof Boolean newest) {
      if (newest) {
        builder.resumeFromCheckpoint("auto");
      }
    } else {
      builder.resumeFromCheckpoint(value.text());
    }
  }

  private static Object valueOf(RecordComponent component, TrainingArguments arguments) {
    try {
      return component.getAccessor().invoke(arguments);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("accessor of " + component, e);
    }
  }

  private static Optional<Object> plain(Object value) {
    return switch (value) {
      case Enum<?> constant -> Optional.of(word(constant));
      case Path path -> Optional.of(path.toString());
      case Optional<?> optional -> optional.map(inner -> (Object) inner);
      case OptionalInt o -> o.isPresent() ? Optional.of(o.getAsInt()) : Optional.empty();
      case OptionalLong o -> o.isPresent() ? Optional.of(o.getAsLong()) : Optional.empty();
      case OptionalDouble o -> o.isPresent() ? Optional.of(o.getAsDouble()) : Optional.empty();
      default -> Optional.of(value);
    };
  }

  private static String snakeCase(String name) {
    return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }
}
