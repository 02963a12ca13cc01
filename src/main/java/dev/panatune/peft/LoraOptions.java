package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** {@link LoraConfig} in PEFT's form of named options. */
final class LoraOptions {
  /** Options that say where an adapter came from and change nothing in it. */
  private static final Set<String> DESCRIPTIVE =
      Set.of(
          "auto_mapping",
          "base_model_name_or_path",
          "inference_mode",
          "megatron_core",
          "peft_version",
          "qalora_group_size",
          "revision");

  /** Options of PEFT 0.21 that are not supported yet unless they are off. */
  private static final Set<String> UNSUPPORTED =
      Set.of(
          "alora_invocation_tokens",
          "alpha_pattern",
          "arrow_config",
          "corda_config",
          "ensure_weight_tying",
          "eva_config",
          "exclude_modules",
          "fan_in_fan_out",
          "kasa_config",
          "layer_replication",
          "layers_pattern",
          "layers_to_transform",
          "loftq_config",
          "lora_bias",
          "lora_ga_config",
          "megatron_config",
          "monteclora_config",
          "rank_pattern",
          "target_parameters",
          "trainable_token_indices",
          "use_bdlora",
          "use_dora",
          "use_qalora",
          "use_rslora",
          "velora_config");

  private static final Set<String> SUPPORTED =
      Set.of(
          "bias",
          "init_lora_weights",
          "lora_alpha",
          "lora_dropout",
          "modules_to_save",
          "peft_type",
          "r",
          "target_modules",
          "task_type");

  private final Map<String, ?> options;

  LoraOptions(Map<String, ?> options) {
    this.options = options;
  }

  void refuseUnknown() {
    Set<String> known = new TreeSet<>(SUPPORTED);
    known.addAll(DESCRIPTIVE);
    known.addAll(UNSUPPORTED);
    for (String key : options.keySet()) {
      if (!known.contains(key)) {
        throw new ConfigurationException(
            "unknown option '"
                + key
                + "'"
                + Suggestion.nearest(key, known)
                    .map(near -> "; did you mean '" + near + "'?")
                    .orElse(""));
      }
    }
  }

  LoraConfig config() {
    expect("peft_type", "LORA");
    expect("task_type", "CAUSAL_LM");
    for (String key : new TreeSet<>(options.keySet())) {
      if (UNSUPPORTED.contains(key) && !isOff(options.get(key))) {
        throw new ConfigurationException(
            "the LoRA option "
                + key
                + " is not supported yet, and it is set to "
                + options.get(key)
                + "; leave it out");
      }
    }
    Object initialisation = options.get("init_lora_weights");
    if (initialisation != null && !Boolean.TRUE.equals(initialisation)) {
      throw new ConfigurationException(
          "init_lora_weights: " + initialisation + " is not supported yet; leave it out, or true");
    }
    return new LoraConfig(
        (int) number("r", 8, true),
        number("lora_alpha", 8, false),
        number("lora_dropout", 0, false),
        targetModules(),
        LoraBias.parse(text("bias", "none")),
        options.get("modules_to_save") == null ? List.of() : names("modules_to_save"));
  }

  static Map<String, Object> write(LoraConfig config) {
    Map<String, Object> options = new TreeMap<>();
    options.put("bias", config.bias().peftName());
    options.put("init_lora_weights", true);
    options.put("lora_alpha", wholeIfPossible(config.loraAlpha()));
    options.put("lora_dropout", config.loraDropout());
    options.put(
        "modules_to_save", config.modulesToSave().isEmpty() ? null : config.modulesToSave());
    options.put("peft_type", "LORA");
    options.put("r", config.r());
    options.put("target_modules", config.targetModules().toJson());
    options.put("task_type", "CAUSAL_LM");
    return options;
  }

  private void expect(String key, String only) {
    Object value = options.get(key);
    if (value != null && !only.equals(value)) {
      throw new ConfigurationException(
          key + ": " + value + " is not supported yet; supported is " + only);
    }
  }

  private TargetModules targetModules() {
    return switch (options.get("target_modules")) {
      case null -> TargetModules.DEFAULT;
      case String text -> TargetModules.parse(text);
      default -> new TargetModules.Names(names("target_modules"));
    };
  }

  private List<String> names(String key) {
    if (!(options.get(key) instanceof Collection<?> values) || values.isEmpty()) {
      throw wrongType(key, "a list of module names");
    }
    List<String> names = new ArrayList<>();
    for (Object value : values) {
      if (!(value instanceof String name) || name.isEmpty()) {
        throw wrongType(key, "a list of module names");
      }
      names.add(name);
    }
    return names;
  }

  private double number(String key, double missing, boolean whole) {
    Object value = options.get(key);
    if (value == null) {
      return missing;
    }
    if (!(value instanceof Number number)
        || (whole && number.doubleValue() != Math.rint(number.doubleValue()))) {
      throw wrongType(key, whole ? "a whole number" : "a number");
    }
    return number.doubleValue();
  }

  private String text(String key, String missing) {
    return switch (options.get(key)) {
      case null -> missing;
      case String text -> text;
      default -> throw wrongType(key, "a string");
    };
  }

  private ConfigurationException wrongType(String key, String wanted) {
    return new ConfigurationException(key + ": " + options.get(key) + " is not " + wanted);
  }

  /** Whether a value is what PEFT writes for an option that nobody set. */
  private static boolean isOff(Object value) {
    return switch (value) {
      case null -> true;
      case Boolean flag -> !flag;
      case Collection<?> list -> list.isEmpty();
      case Map<?, ?> map -> map.isEmpty();
      default -> false;
    };
  }

  private static Number wholeIfPossible(double value) {
    if (value == Math.rint(value) && Math.abs(value) < Integer.MAX_VALUE) {
      return (int) value;
    }
    return value;
  }
}
