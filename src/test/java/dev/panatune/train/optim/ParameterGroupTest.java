package dev.panatune.train.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ParameterGroupTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.layers.0.self_attn.q_proj.bias",
        "model.layers.0.input_layernorm.weight",
        "model.layers.0.self_attn.q_norm.weight",
        "model.norm.weight",
        "model.final_RMSNorm.weight",
        "norm.weight"
      })
  void biasesAndNormsAreNotDecayed(String name) {
    assertFalse(ParameterGroup.isDecayed(name));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.layers.0.self_attn.q_proj.weight",
        "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight",
        "model.embed_tokens.weight",
        "normaliser.weight"
      })
  void otherWeightsAre(String name) {
    assertTrue(ParameterGroup.isDecayed(name));
  }

  @Test
  void theGroupsKeepTheOrder() {
    SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
    for (String name : List.of("b.weight", "b.bias", "a.weight", "norm.weight")) {
      parameters.put(name, null);
    }
    List<ParameterGroup> groups = ParameterGroup.split(parameters, 0.1);
    assertEquals(List.of(0.1, 0.0), groups.stream().map(ParameterGroup::weightDecay).toList());
    assertEquals(
        List.of("b.weight", "a.weight"),
        List.copyOf(groups.getFirst().parameters().sequencedKeySet()));
    assertEquals(
        List.of("b.bias", "norm.weight"),
        List.copyOf(groups.getLast().parameters().sequencedKeySet()));
  }
}
