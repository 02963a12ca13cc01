package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoraConfigTest {
  @Test
  void missingOptionsTakePeftsDefaults() {
    LoraConfig config = LoraConfig.fromMap(Map.of());
    assertEquals(8, config.r());
    assertEquals(1.0, config.scaling());
    assertEquals(0, config.loraDropout());
    assertEquals(TargetModules.of("q_proj", "v_proj"), config.targetModules());
    assertEquals(LoraBias.NONE, config.bias());
  }

  @Test
  void writingAndReadingGivesTheSame() {
    LoraConfig config =
        new LoraConfig(
            4, 6.5, 0.25, TargetModules.of("up_proj"), LoraBias.LORA_ONLY, List.of("lm_head"));
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
    assertRefused(Map.of("use_dora", true), "use_dora");
    assertRefused(Map.of("rank_pattern", Map.of("q_proj", 4)), "rank_pattern");
    assertRefused(Map.of("init_lora_weights", "pissa"), "init_lora_weights");
    assertRefused(Map.of("peft_type", "IA3"), "peft_type");
    assertRefused(Map.of("task_type", "SEQ_CLS"), "task_type");
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

  private static void assertRefused(Map<String, ?> options, String part) {
    var error = assertThrows(ConfigurationException.class, () -> LoraConfig.fromMap(options));
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }
}
