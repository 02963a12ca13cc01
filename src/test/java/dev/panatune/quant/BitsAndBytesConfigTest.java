package dev.panatune.quant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.StrictJson;
import dev.panatune.tensor.DType;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BitsAndBytesConfigTest {
  /** As transformers 5.23.0 saved it. */
  private static final String SAVED =
      """
      {"_load_in_4bit": true, "_load_in_8bit": false, "bnb_4bit_compute_dtype": "bfloat16",
       "bnb_4bit_quant_storage": "uint8", "bnb_4bit_quant_type": "nf4",
       "bnb_4bit_use_double_quant": true, "llm_int8_enable_fp32_cpu_offload": false,
       "llm_int8_has_fp16_weight": false, "llm_int8_skip_modules": null,
       "llm_int8_threshold": 6.0, "load_in_4bit": true, "load_in_8bit": false,
       "quant_method": "bitsandbytes"}
      """;

  private static final QuantConfig QLORA = QuantConfig.qlora(DType.BFLOAT16);

  @Test
  void whatTransformersSavedIsReadAndWritten() {
    Map<String, Object> saved = StrictJson.parseObject(SAVED, "saved");
    assertEquals(Optional.of(QLORA), BitsAndBytesConfig.parse(saved));
    assertEquals(saved, BitsAndBytesConfig.toJson(QLORA));
    assertEquals(
        List.copyOf(saved.keySet()), List.copyOf(BitsAndBytesConfig.toJson(QLORA).keySet()));
  }

  @Test
  void skippedModulesAreKept() {
    QuantConfig config =
        new QuantConfig(QuantType.FP4, 64, false, DType.FLOAT32, List.of("lm_head", "q_proj"));
    assertEquals(Optional.of(config), BitsAndBytesConfig.parse(BitsAndBytesConfig.toJson(config)));
  }

  @Test
  void whatIsNotSaidIsAsInTransformers() {
    QuantConfig config = BitsAndBytesConfig.parse(Map.of("load_in_4bit", true)).orElseThrow();
    assertEquals(new QuantConfig(QuantType.FP4, 64, false, DType.FLOAT32, List.of()), config);
    assertTrue(BitsAndBytesConfig.parse(Map.of("load_in_4bit", false)).isEmpty());
    assertTrue(BitsAndBytesConfig.parse(Map.of()).isEmpty());
  }

  @ParameterizedTest
  @CsvSource({
    "load_in_8bit, true, load_in_4bit",
    "quant_method, gptq, gptq",
    "load_in_4bits, true, load_in_4bit?",
    "load_in_4bit, yes, Boolean",
    "bnb_4bit_quant_type, int4, nf4",
    "bnb_4bit_compute_dtype, float64, float64",
  })
  void whatIsNotSupportedIsRefusedByName(String key, String value, String named) {
    Object typed = value.equals("true") ? Boolean.TRUE : value;
    Map<String, Object> values =
        key.equals("load_in_4bit") ? Map.of(key, typed) : Map.of("load_in_4bit", true, key, typed);
    ConfigurationException e =
        assertThrows(ConfigurationException.class, () -> BitsAndBytesConfig.parse(values));
    assertTrue(e.getMessage().contains(named), e.getMessage());
  }
}
