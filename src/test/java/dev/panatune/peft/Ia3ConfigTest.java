package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Ia3ConfigTest {
  @Test
  void missingOptionsTakePeftsChoiceForTheFamily() {
    Ia3Config config = (Ia3Config) PeftConfig.fromMap(Map.of("peft_type", "IA3"));
    assertEquals(Ia3Config.ofFamily(), config);
    Ia3Config llama = config.resolved("llama");
    assertEquals(
        Optional.of(TargetModules.of("k_proj", "v_proj", "down_proj")), llama.targetModules());
    assertEquals(Optional.of(TargetModules.of("down_proj")), llama.feedforwardModules());
    var error = assertThrows(ConfigurationException.class, () -> config.resolved("granite"));
    assertTrue(error.getMessage().contains("granite"), error.getMessage());
  }

  @Test
  void writingAndReadingGivesTheSame() {
    Ia3Config config =
        Ia3Config.of(TargetModules.of("q_proj", "up_proj"), TargetModules.of("up_proj"))
            .withModulesToSave("lm_head");
    assertEquals(config, PeftConfig.fromMap(config.toMap()));
    Ia3Config none = Ia3Config.of(TargetModules.of("q_proj"), new TargetModules.Names(List.of()));
    assertEquals(none, PeftConfig.fromMap(none.toMap()));
  }

  @Test
  void aFeedforwardNameIsTheEndOfAPathAsInPeft() {
    Ia3Config config = Ia3Config.of(TargetModules.parse(".*_proj"), TargetModules.of("down_proj"));
    assertTrue(config.isFeedforward("model.layers.0.mlp.down_proj"));
    assertTrue(config.isFeedforward("model.layers.0.mlp.other_down_proj"));
    assertFalse(config.isFeedforward("model.layers.0.mlp.up_proj"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "feedforward_module | down_proj | feedforward_modules",
        "task_type | SEQ_2_SEQ_LM | task_type",
        "init_ia3_weights | yes | init_ia3_weights",
        "target_modules | (q | target_modules",
      })
  void mistakesAreNamed(String key, String value, String part) {
    var error =
        assertThrows(
            ConfigurationException.class,
            () -> PeftConfig.fromMap(Map.of("peft_type", "IA3", key, value)));
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }

  @Test
  void aFeedforwardModuleMustBeATarget() {
    var error =
        assertThrows(
            ConfigurationException.class,
            () -> Ia3Config.of(TargetModules.of("q_proj"), TargetModules.of("up_proj")));
    assertTrue(error.getMessage().contains("up_proj"), error.getMessage());
  }
}
