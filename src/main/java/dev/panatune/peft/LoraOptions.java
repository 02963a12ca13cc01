package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** {@link LoraConfig} in PEFT's form of named options. */
final class LoraOptions {
  /** Settings of what is not supported, which change nothing without it. */
  private static final Set<String> IDLE = Set.of("megatron_core", "qalora_group_size");

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

  private final PeftOptions options;

  LoraOptions(Map<String, ?> options) {
    this.options = new PeftOptions("LoRA", options);
  }

  void refuseUnknown() {
    options.refuseUnknown(SUPPORTED, UNSUPPORTED, IDLE);
  }

  LoraConfig config() {
    options.expect("peft_type", "LORA");
    options.expect("task_type", "CAUSAL_LM");
    options.refuseSet(UNSUPPORTED);
    Object initialisation = options.value("init_lora_weights");
    if (initialisation != null && !Boolean.TRUE.equals(initialisation)) {
      throw new ConfigurationException(
          "init_lora_weights: " + initialisation + " is not supported yet; leave it out, or true");
    }
    return new LoraConfig(
        options.integer("r", 8),
        options.number("lora_alpha", 8),
        options.number("lora_dropout", 0),
        options.targets("target_modules").orElse(TargetModules.DEFAULT),
        LoraBias.parse(options.text("bias", "none")),
        options.names("modules_to_save"));
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

  private static Number wholeIfPossible(double value) {
    if (value == Math.rint(value) && Math.abs(value) < Integer.MAX_VALUE) {
      return (int) value;
    }
    return value;
  }
}
