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
          "config.json asks for Dropouts[attention=0.1, residual=0.0, embedding=0.0]; training with"
              + " it is not supported, set all to 0",
          error.getMessage());
    }
  }
}
