package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** The layers that PEFT 0.21 adapts by LoRA where none are named. */
final class LoraDefaults {
  private static final List<String> QUERY_VALUE = List.of("q_proj", "v_proj");

  private static final Map<String, List<String>> TARGETS =
      Map.ofEntries(
          Map.entry("gemma", QUERY_VALUE),
          Map.entry("gemma2", QUERY_VALUE),
          Map.entry("gemma3_text", QUERY_VALUE),
          Map.entry("gpt2", List.of("c_attn")),
          Map.entry("gpt_neox", List.of("query_key_value")),
          Map.entry("llama", QUERY_VALUE),
          Map.entry("mistral", QUERY_VALUE),
          Map.entry("phi", List.of("q_proj", "v_proj", "fc1", "fc2")),
          Map.entry("qwen2", QUERY_VALUE),
          Map.entry("qwen3", QUERY_VALUE));

  private LoraDefaults() {}

  static TargetModules targets(String modelType) {
    List<String> names = TARGETS.get(modelType);
    if (names == null) {
      throw new ConfigurationException(
          "target_modules: PEFT has no choice of its own for %s (it has for %s); name the layers,"
                  .formatted(modelType, String.join(", ", new TreeSet<>(TARGETS.keySet())))
              + " or say all-linear");
    }
    return new TargetModules.Names(names);
  }
}
