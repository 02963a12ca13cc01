package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoraConfigTest {
  @Test
  void missingOptionsTakePeftsDefaults() {
    LoraConfig config = LoraConfig.fromMap(Map.of());
    assertEquals(8, config.r());
    assertEquals(new LoraScale(8, 1.0), config.scaleOf("model.layers.0.self_attn.q_proj"));
    assertEquals(0, config.loraDropout());
    assertEquals(Optional.empty(), config.targetModules());
    assertEquals(
        Optional.of(TargetModules.of("q_proj", "v_proj")),
        config.resolved("qwen2").targetModules());
    var unknown = assertThrows(ConfigurationException.class, () -> config.resolved("phi3"));
    assertTrue(unknown.getMessage().contains("phi3"), unknown.getMessage());
    assertEquals(LoraBias.NONE, config.bias());
  }

  @Test
  void writingAndReadingGivesTheSame() {
    LoraConfig config =
        LoraConfig.of(4, 6.5)
            .withDropout(0.25)
            .withTargetModules(TargetModules.of("up_proj"))
            .withBias(LoraBias.LORA_ONLY)
            .withModulesToSave("lm_head");
    assertEquals(config, LoraConfig.fromMap(config.toMap()));
    assertEquals("all-linear", LoraConfig.of(4, 8).toMap().get("target_modules"));
    assertEquals(8, LoraConfig.of(4, 8).toMap().get("lora_alpha"));
  }

  @ParameterizedTest
  @CsvSource({
    "q_proj, model.layers.0.self_attn.q_proj, true",
    "q_proj, q_proj, true",
    "proj, model.layers.0.self_attn.q_proj, false",
    "self_attn.q_proj, model.layers.0.self_attn.q_proj, true",
    "q_proj, model.layers.0.self_attn.q_proj.base_layer, false",
  })
  void aNameMatchesAWholeLastPart(String name, String path, boolean matches) {
    assertEquals(matches, TargetModules.of(name).matches(path));
  }

  @Test
  void anExpressionMatchesTheWholePath() {
    TargetModules regex = TargetModules.parse("model\\.layers\\.[01]\\..*_proj");
    assertTrue(regex.matches("model.layers.1.mlp.up_proj"));
    assertFalse(regex.matches("model.layers.2.mlp.up_proj"));
    assertFalse(TargetModules.parse("q_proj").matches("model.layers.0.self_attn.q_proj"));
    assertThrows(ConfigurationException.class, () -> TargetModules.parse("(q_proj"));
  }

  @Test
  void whatIsNotSupportedIsRefusedByName() {
    assertRefused(Map.of("use_qalora", true), "use_qalora");
    assertRefused(Map.of("eva_config", Map.of("rho", 2)), "eva_config");
    assertRefused(Map.of("target_parameters", List.of("experts.up")), "target_parameters");
    assertRefused(Map.of("init_lora_weights", "loftq"), "init_lora_weights");
    assertRefused(Map.of("peft_type", "IA3"), "peft_type");
    assertRefused(Map.of("task_type", "TOKEN_CLS"), "task_type");
    assertEquals(8, LoraConfig.fromMap(Map.of("use_dora", false, "rank_pattern", Map.of())).r());
  }

  @Test
  void mistakesAreNamed() {
    assertRefused(Map.of("lora_aplha", 4), "lora_alpha");
    assertRefused(Map.of("r", "eight"), "r: eight");
    assertRefused(Map.of("r", 2.5), "whole number");
    assertRefused(Map.of("r", 0), "at least 1");
    assertRefused(Map.of("lora_dropout", 1.0), "lora_dropout");
    assertRefused(Map.of("lora_alpha", -1), "lora_alpha");
    assertRefused(Map.of("bias", "some"), "lora_only");
    assertRefused(Map.of("target_modules", List.of()), "target_modules");
    assertRefused(Map.of("target_modules", List.of(3)), "target_modules");
  }

  @ParameterizedTest
  @CsvSource({
    "model.layers.0.self_attn.q_proj, 2",
    "model.layers.1.self_attn.q_proj, 3",
    "model.layers.1.mlp.up_proj, 9",
    "model.layers.1.mlp.down_proj, 5",
    "lm_head, 9",
  })
  void theFirstPatternThatFitsGivesTheRank(String path, int rank) {
    Map<String, Integer> patterns = new LinkedHashMap<>();
    patterns.put("layers.0.self_attn.q_proj", 2);
    patterns.put("q_proj", 3);
    patterns.put(".*1.mlp.d.*", 5);
    patterns.put("up_proj|lm_head", 9);
    patterns.put("lm_head", 7);
    LoraConfig config = LoraConfig.fromMap(Map.of("rank_pattern", patterns));
    assertEquals(rank, config.scaleOf(path).r());
  }

  @ParameterizedTest
  @CsvSource({
    "model.layers.1.self_attn.q_proj, true",
    "model.layers.0.self_attn.q_proj, false",
    "model.layers.10.self_attn.q_proj, false",
    "model.layers.0.experts.1.q_proj, false",
    "model.layers.0.mlp.up_proj, true",
    "q_proj, true",
  })
  void layersToTransformLimitNamesButNotWholePaths(String path, boolean matches) {
    LoraConfig config =
        LoraConfig.fromMap(
            Map.of(
                "target_modules",
                List.of("q_proj", "model.layers.0.mlp.up_proj"),
                "layers_to_transform",
                1));
    assertEquals(matches, config.selection().matches(path, null));
  }

  @Test
  void optionsThatDoNotGoTogetherAreRefused() {
    assertRefused(
        Map.of("target_modules", "all-linear", "layers_to_transform", 1), "layers_to_transform");
    assertRefused(Map.of("layers_pattern", "layers"), "layers_pattern");
    assertRefused(Map.of("lora_bias", true, "use_dora", true), "use_dora");
    assertRefused(Map.of("lora_bias", true, "init_lora_weights", "gaussian"), "gaussian");
    assertRefused(Map.of("rank_pattern", Map.of("q_proj", 0)), "rank_pattern: q_proj");
    assertRefused(Map.of("rank_pattern", Map.of("q_proj", "two")), "two is not a whole number");
    assertRefused(Map.of("alpha_pattern", List.of("q_proj")), "alpha_pattern");
    assertRefused(Map.of("rank_pattern", Map.of("(", 2)), "regular expression");
    assertRefused(Map.of("layers_to_transform", "first"), "layers_to_transform");
    assertRefused(Map.of("trainable_token_indices", List.of(1, 1)), "trainable_token_indices");
    assertRefused(Map.of("trainable_token_indices", "all"), "trainable_token_indices");
    assertRefused(
        Map.of(
            "modules_to_save",
            List.of("lm_head"),
            "trainable_token_indices",
            Map.of("lm_head", List.of(1))),
        "only one");
  }

  private static void assertRefused(Map<String, ?> options, String part) {
    var error = assertThrows(ConfigurationException.class, () -> LoraConfig.fromMap(options));
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }
}
