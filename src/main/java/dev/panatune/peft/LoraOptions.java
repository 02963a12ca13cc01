package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/** {@link LoraConfig} in PEFT's form of named options. */
final class LoraOptions {
  /** Settings of what is not supported, which change nothing without it. */
  private static final Set<String> IDLE = Set.of("megatron_core", "qalora_group_size");

  /** Options of PEFT 0.21 that are not supported unless they are off. */
  private static final Set<String> UNSUPPORTED =
      Set.of(
          "alora_invocation_tokens",
          "arrow_config",
          "corda_config",
          "ensure_weight_tying",
          "eva_config",
          "kasa_config",
          "layer_replication",
          "loftq_config",
          "lora_ga_config",
          "megatron_config",
          "monteclora_config",
          "target_parameters",
          "use_bdlora",
          "use_qalora",
          "velora_config");

  private static final Set<String> SUPPORTED =
      Set.of(
          "alpha_pattern",
          "bias",
          "exclude_modules",
          "fan_in_fan_out",
          "init_lora_weights",
          "layers_pattern",
          "layers_to_transform",
          "lora_alpha",
          "lora_bias",
          "lora_dropout",
          "modules_to_save",
          "peft_type",
          "r",
          "rank_pattern",
          "target_modules",
          "task_type",
          "trainable_token_indices",
          "use_dora",
          "use_rslora");

  private final PeftOptions options;

  LoraOptions(Map<String, ?> options) {
    this.options = new PeftOptions("LoRA", options);
  }

  void refuseUnknown() {
    options.refuseUnknown(SUPPORTED, UNSUPPORTED, IDLE);
  }

  LoraConfig config() {
    options.expect("peft_type", "LORA");
    TaskType task = TaskType.parse(options.value("task_type"));
    options.refuseSet(UNSUPPORTED);
    return new LoraConfig(
        options.integer("r", 8),
        options.number("lora_alpha", 8),
        options.number("lora_dropout", 0),
        options.targets("target_modules"),
        options.targets("exclude_modules"),
        layers(),
        options.value("layers_pattern") instanceof String one
            ? one.isEmpty() ? List.of() : List.of(one)
            : options.names("layers_pattern"),
        pattern("rank_pattern", LoraOptions::wholeNumber, "a whole number"),
        pattern("alpha_pattern", LoraOptions::number, "a number"),
        options.flag("use_rslora", false),
        options.flag("use_dora", false),
        options.flag("lora_bias", false),
        options.flag("fan_in_fan_out", false),
        LoraInit.parse(options.value("init_lora_weights")),
        LoraBias.parse(options.text("bias", "none")),
        task.withHeads(options.names("modules_to_save")),
        TrainableTokens.parse(options.value("trainable_token_indices")));
  }

  private List<Integer> layers() {
    return switch (options.value("layers_to_transform")) {
      case null -> List.of();
      case Integer one -> List.of(one);
      case List<?> some when some.stream().allMatch(Integer.class::isInstance) ->
          some.stream().map(Integer.class::cast).toList();
      case Object other ->
          throw new ConfigurationException(
              "layers_to_transform: " + other + " is neither a layer's number nor a list of them");
    };
  }

  private <T> PatternMap<T> pattern(String key, Function<Object, Optional<T>> read, String wanted) {
    Object given = options.value(key);
    if (given == null) {
      return PatternMap.none();
    }
    if (!(given instanceof Map<?, ?> entries)) {
      throw new ConfigurationException(key + ": " + given + " is not a map from layers' names");
    }
    SequencedMap<String, T> values = new LinkedHashMap<>();
    entries.forEach((name, value) ->
        values.put(
            String.valueOf(name),
            read.apply(value)
                .orElseThrow(() ->
                    new ConfigurationException(
                        "%s: %s: %s is not %s".formatted(key, name, value, wanted)))));
    return new PatternMap<>(values);
  }

  private static Optional<Integer> wholeNumber(Object value) {
    return value instanceof Integer number ? Optional.of(number) : Optional.empty();
  }

  private static Optional<Double> number(Object value) {
    return value instanceof Number number ? Optional.of(number.doubleValue()) : Optional.empty();
  }

  static Map<String, Object> write(LoraConfig config) {
    Map<String, Object> options = new TreeMap<>();
    SequencedMap<String, Number> alphas = new LinkedHashMap<>();
    config
        .alphaPattern()
        .values()
        .forEach((name, alpha) -> alphas.put(name, wholeIfPossible(alpha)));
    options.put("alpha_pattern", alphas);
    options.put("bias", config.bias().peftName());
    options.put("exclude_modules", config.excludeModules().map(TargetModules::toJson).orElse(null));
    options.put("fan_in_fan_out", config.fanInFanOut());
    options.put("init_lora_weights", config.initLoraWeights().toJson());
    options.put("layers_pattern", nullIfEmpty(config.layersPattern()));
    options.put("layers_to_transform", nullIfEmpty(config.layersToTransform()));
    options.put("lora_alpha", wholeIfPossible(config.loraAlpha()));
    options.put("lora_bias", config.loraBias());
    options.put("lora_dropout", config.loraDropout());
    options.put("modules_to_save", nullIfEmpty(config.modulesToSave()));
    options.put("peft_type", "LORA");
    options.put("r", config.r());
    options.put("rank_pattern", config.rankPattern().values());
    options.put("target_modules", config.targetModules().map(TargetModules::toJson).orElse(null));
    options.put("task_type", TaskType.of(config.modulesToSave()).name());
    options.put("trainable_token_indices", config.trainableTokenIndices().toJson());
    options.put("use_dora", config.useDora());
    options.put("use_rslora", config.useRslora());
    return options;
  }

  private static List<?> nullIfEmpty(List<?> list) {
    return list.isEmpty() ? null : list;
  }

  private static Number wholeIfPossible(double value) {
    if (value == Math.rint(value) && Math.abs(value) < Integer.MAX_VALUE) {
      return (int) value;
    }
    return value;
  }
}
