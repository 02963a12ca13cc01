package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.TinyModels;
import org.junit.jupiter.api.Test;

class TrainingPassTest {
  @Test
  void refusesDropoutOnAttentionWeights() {
    try (CausalLM model = CausalLM.random(TinyModels.llama("attention_dropout", 0.1), 1)) {
      TrainingArguments arguments = TrainingArguments.builder().build();
      var error =
          assertThrows(ConfigurationException.class, () -> TrainingPass.of(model, arguments));
      assertEquals(
          "config.json: attention_dropout is 0.1; training with it is not supported, set it to 0",
          error.getMessage());
    }
  }
}
