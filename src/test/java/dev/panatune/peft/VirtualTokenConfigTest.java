package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.TinyModels;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@ExtendWith(NoLeaks.class)
class VirtualTokenConfigTest {
  @Test
  void writingAndReadingGivesTheSame() {
    for (PeftConfig config :
        new PeftConfig[] {
          PromptTuningConfig.of(3),
          PromptTuningConfig.ofText(3, "a text"),
          PrefixTuningConfig.of(4),
          new PrefixTuningConfig(4, true, OptionalInt.of(7), true)
        }) {
      assertEquals(config, PeftConfig.fromMap(config.toMap()));
      assertEquals(config, PeftConfig.fromAdapterConfig(config.toMap()));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "PROMPT_TUNING, num_virtual_tokens, 0, num_virtual_tokens",
    "PROMPT_TUNING, prompt_tuning_init, VOCAB, SAMPLE_VOCAB",
    "PROMPT_TUNING, prompt_tuning_init, TEXT, prompt_tuning_init_text",
    "PROMPT_TUNING, prompt_tuning_inti, TEXT, prompt_tuning_init",
    "PROMPT_TUNING, prefix_projection, true, prefix_projection",
    "PROMPT_TUNING, modules_to_save, lm_head, modules_to_save",
    "PREFIX_TUNING, init_weights, ones, init_weights",
    "PREFIX_TUNING, encoder_hidden_size, 0, encoder_hidden_size",
    "PREFIX_TUNING, prompt_tuning_init, TEXT, prompt_tuning_init",
  })
  void mistakesAreNamed(String type, String key, String value, String part) {
    Map<String, Object> options = new HashMap<>(Map.of("peft_type", type));
    options.put("num_virtual_tokens", 3);
    options.put(key, value.matches("\\d+") ? Integer.valueOf(value) : value);
    var error = assertThrows(ConfigurationException.class, () -> PeftConfig.fromMap(options));
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }

  @Test
  void theNumberOfVirtualTokensIsNeeded() {
    var error =
        assertThrows(
            ConfigurationException.class,
            () -> PeftConfig.fromMap(Map.of("peft_type", "PREFIX_TUNING")));
    assertTrue(error.getMessage().contains("num_virtual_tokens is missing"), error.getMessage());
  }

  @Test
  void aTextWithoutATokenizerIsRefused() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      var error =
          assertThrows(
              ConfigurationException.class,
              () -> PeftModel.create(model, PromptTuningConfig.ofText(3, "a text")));
      assertTrue(error.getMessage().contains("tokenizer_name_or_path"), error.getMessage());
    }
  }

  @Test
  void virtualTokensTakeTheirPlaceInTheContext() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      Tensor ids = Tensor.ofLongs(new long[] {5, 17, 33}, 1, 3);
      PeftModel prompt = PeftModel.create(model, PromptTuningConfig.of(4));
      assertEquals(4, model.virtualPositions());
      assertEquals(4, model.leadingPositions());
      assertEquals(7, model.logits(ids).size(1));
      var error =
          assertThrows(
              ConfigurationException.class,
              () -> PeftModel.create(model, PrefixTuningConfig.of(2)));
      assertTrue(error.getMessage().contains("virtual tokens already"), error.getMessage());
      prompt.setEnabled(false);
      assertEquals(0, model.virtualPositions());
      assertEquals(3, model.logits(ids).size(1));
    }
  }

  /** Zero keys and values still take their share of the attention. */
  @Test
  void aPrefixStartsAtZeroWhereThatIsAskedFor() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      PeftModel.create(model, new PrefixTuningConfig(2, true, OptionalInt.empty(), true));
      assertEquals(0, model.prefix().abs().max().item());
      assertEquals(2, model.virtualPositions());
      assertEquals(0, model.leadingPositions());
    }
  }
}
