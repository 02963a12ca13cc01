package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Map;

/** What an adapter is: one record a method, with PEFT's options under PEFT's names. */
public sealed interface PeftConfig
    permits LoraConfig, Ia3Config, PromptTuningConfig, PrefixTuningConfig, BottleneckConfig {
  /** The method. */
  PeftType peftType();

  /** The options that this record stands for, under PEFT's names, in alphabetical order. */
  Map<String, Object> toMap();

  /** What it is, in a few words for a person: {@code a LoRA adapter, r 8, alpha 16}. */
  String summary();

  /**
   * Reads options under PEFT's names, as people write them in a run's YAML; missing ones take
   * PEFT's defaults, a missing {@code peft_type} is {@code LORA}.
   *
   * @throws ConfigurationException if a key is unknown (the nearest known one is named), is known
   *     to PEFT but not supported here, or has a value of the wrong type
   */
  static PeftConfig fromMap(Map<String, ?> options) {
    return switch (typeOf(options)) {
      case LORA -> LoraConfig.fromMap(options);
      case IA3 -> Ia3Config.fromMap(options);
      case PROMPT_TUNING -> PromptTuningConfig.fromMap(options);
      case PREFIX_TUNING -> PrefixTuningConfig.fromMap(options);
      case BOTTLENECK -> BottleneckConfig.fromMap(options);
    };
  }

  /**
   * Reads {@code adapter_config.json}'s content. As in PEFT, keys that nobody knows are passed
   * over.
   *
   * @throws ConfigurationException if an option is set that is not supported here
   */
  static PeftConfig fromAdapterConfig(Map<String, ?> json) {
    return switch (typeOf(json)) {
      case LORA -> LoraConfig.fromAdapterConfig(json);
      case IA3 -> Ia3Config.fromAdapterConfig(json);
      case PROMPT_TUNING -> PromptTuningConfig.fromAdapterConfig(json);
      case PREFIX_TUNING -> PrefixTuningConfig.fromAdapterConfig(json);
      case BOTTLENECK -> BottleneckConfig.fromMap(json);
    };
  }

  private static PeftType typeOf(Map<String, ?> options) {
    return options.get("peft_type") == null
        ? PeftType.LORA
        : PeftType.parse(options.get("peft_type"));
  }
}
