package dev.panatune.quant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.DType;
import java.util.List;
import org.junit.jupiter.api.Test;

class QuantConfigTest {
  private static QuantConfig skipping(String... modules) {
    return new QuantConfig(QuantType.NF4, 64, true, DType.BFLOAT16, List.of(modules));
  }

  @Test
  void withoutNamesTheHeadAloneStaysDense() {
    assertFalse(skipping().quantizes("lm_head"));
    assertTrue(skipping().quantizes("model.layers.0.self_attn.q_proj"));
  }

  @Test
  void namesReplaceTheDefault() {
    QuantConfig config = skipping("q_proj");
    assertTrue(config.quantizes("lm_head"));
    assertFalse(config.quantizes("model.layers.0.self_attn.q_proj"));
    assertTrue(config.quantizes("model.layers.0.self_attn.k_proj"));
  }

  @Test
  void aNameMatchesFromTheStartUpToADot() {
    QuantConfig config = skipping("model.layers.1");
    assertFalse(config.quantizes("model.layers.1.mlp.up_proj"));
    assertTrue(config.quantizes("model.layers.11.mlp.up_proj"));
  }

  @Test
  void aNameMayBeARegularExpression() {
    QuantConfig config = skipping("model.layers.(0|3)");
    assertFalse(config.quantizes("model.layers.3.mlp.up_proj"));
    assertTrue(config.quantizes("model.layers.2.mlp.up_proj"));
  }

  @Test
  void wrongValuesAreRefusedByName() {
    assertTrue(
        assertThrows(ConfigurationException.class, () -> skipping("(")).getMessage().contains("("));
    assertTrue(
        assertThrows(
                ConfigurationException.class,
                () -> new QuantConfig(QuantType.NF4, 16, true, DType.FLOAT32, List.of()))
            .getMessage()
            .contains("16"));
    assertTrue(
        assertThrows(
                ConfigurationException.class,
                () -> new QuantConfig(QuantType.NF4, 64, true, DType.FLOAT64, List.of()))
            .getMessage()
            .contains("float64"));
    assertTrue(
        assertThrows(ConfigurationException.class, () -> QuantType.parse("int4"))
            .getMessage()
            .contains("nf4, fp4"));
  }

  @Test
  void namesAreReadInAnyCase() {
    assertEquals(QuantType.FP4, QuantType.parse("FP4"));
    assertEquals("nf4", QuantType.NF4.id());
  }
}
