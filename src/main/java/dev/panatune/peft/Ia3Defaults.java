package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Map;

/** The layers that PEFT 0.21 adapts with (IA)³ where nothing is said, by family. */
final class Ia3Defaults {
  /** What scales its output, and what its input. */
  private record Choice(TargetModules targets, TargetModules feedforward) {}

  private static final Choice KEYS_AND_VALUES = choice("k_proj", "v_proj", "down_proj");
  private static final Choice QUERIES_AND_VALUES = choice("q_proj", "v_proj", "down_proj");

  private static final Map<String, Choice> CHOICES =
      Map.of(
          "llama", KEYS_AND_VALUES,
          "mistral", KEYS_AND_VALUES,
          "gemma", QUERIES_AND_VALUES,
          "gemma2", QUERIES_AND_VALUES,
          "gemma3_text", QUERIES_AND_VALUES,
          "qwen2", QUERIES_AND_VALUES,
          "qwen3", QUERIES_AND_VALUES,
          "phi", choice("q_proj", "v_proj", "fc2"),
          "gpt2", choice("c_attn", "mlp.c_proj"),
          "gpt_neox", choice("query_key_value", "dense_4h_to_h"));

  private Ia3Defaults() {}

  static TargetModules targets(String modelType) {
    return of(modelType, "target_modules").targets;
  }

  static TargetModules feedforward(String modelType) {
    return of(modelType, "feedforward_modules").feedforward;
  }

  private static Choice of(String modelType, String key) {
    Choice choice = CHOICES.get(modelType);
    if (choice == null) {
      throw new ConfigurationException(
          "%s: PEFT has no choice for IA3 on a model of type %s; name the modules"
              .formatted(key, modelType));
    }
    return choice;
  }

  /** The last of the names is the feed-forward module. */
  private static Choice choice(String... names) {
    return new Choice(TargetModules.of(names), TargetModules.of(names[names.length - 1]));
  }
}
