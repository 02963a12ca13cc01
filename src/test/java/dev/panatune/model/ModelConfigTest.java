package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.Activation;
import dev.panatune.nn.RopeConfig;
import dev.panatune.tensor.DType;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigTest {
  private static String errorOf(Map<String, Object> json) {
    return assertThrows(ConfigurationException.class, () -> ModelConfig.fromHuggingFace(json))
        .getMessage();
  }

  private static String errorOf(String key, Object value) {
    return errorOf(TinyModels.llamaJson(key, value));
  }

  @Test
  void absentFieldsHaveTransformersDefaults() {
    ModelConfig config =
        ModelConfig.fromHuggingFace(
            Map.of(
                "model_type", "llama",
                "vocab_size", 32000,
                "hidden_size", 64,
                "intermediate_size", 128,
                "num_hidden_layers", 2,
                "num_attention_heads", 4));
    assertEquals(4, config.keyValueHeads());
    assertEquals(16, config.headDim());
    assertEquals(2048, config.maxPositions());
    assertEquals(1e-6, config.norm().epsilon());
    assertEquals(new RopeConfig.Standard(10_000), config.positions().ropes().getFirst());
    assertEquals(Activation.SILU, config.mlp().activation());
    assertFalse(config.attention().inputBias() || config.mlp().bias() || config.tiedHead());
    assertEquals(List.of(), config.eosTokenIds());
    assertEquals(Optional.empty(), config.storedDtype());
  }

  @Test
  void dynamicScalingWritesBeyondThePreTraining() {
    Map<String, Object> json = TinyModels.llamaJson("max_position_embeddings", 20);
    assertEquals(20, ModelConfig.fromHuggingFace(json).contextLength());
    json.put("rope_scaling", Map.of("type", "dynamic", "factor", 2.5));
    assertEquals(50, ModelConfig.fromHuggingFace(json).contextLength());
    json.put("rope_scaling", Map.of("type", "linear", "factor", 2.5));
    assertEquals(20, ModelConfig.fromHuggingFace(json).contextLength());
  }

  @Test
  void readsWhatIsStated() {
    Map<String, Object> json = TinyModels.llamaJson("head_dim", 24);
    json.put("eos_token_id", List.of(5, 7));
    json.put("torch_dtype", "bfloat16");
    json.put("tie_word_embeddings", true);
    json.put("attention_bias", true);
    json.put("mlp_bias", true);
    ModelConfig config = ModelConfig.fromHuggingFace(json);
    assertEquals(24, config.headDim());
    assertEquals(List.of(5, 7), config.eosTokenIds());
    assertEquals(Optional.of(DType.BFLOAT16), config.storedDtype());
    assertTrue(config.tiedHead() && config.attention().inputBias() && config.mlp().bias());
    assertEquals(json, config.source());
  }

  @Test
  void readsRopeAsTransformers5WritesIt() {
    Map<String, Object> rope =
        Map.of(
            "rope_type", "llama3",
            "rope_theta", 500000.0,
            "factor", 8.0,
            "low_freq_factor", 1.0,
            "high_freq_factor", 4.0,
            "original_max_position_embeddings", 8192);
    assertEquals(
        new RopeConfig.Llama3(500_000, 8, 1, 4, 8192),
        TinyModels.llama("rope_parameters", rope).positions().ropes().getFirst());
  }

  @Test
  void readsRopeAsItWasWrittenBefore() {
    Map<String, Object> json = TinyModels.llamaJson("rope_theta", 50000);
    json.put("rope_scaling", Map.of("type", "linear", "factor", 2));
    assertEquals(
        new RopeConfig.Linear(50_000, 2),
        ModelConfig.fromHuggingFace(json).positions().ropes().getFirst());
    json.put("rope_scaling", null);
    assertEquals(
        new RopeConfig.Standard(50_000),
        ModelConfig.fromHuggingFace(json).positions().ropes().getFirst());
  }

  @ParameterizedTest
  @ValueSource(strings = {"proportional", "nonsense"})
  void refusesARopeThatItCannotDo(String kind) {
    assertEquals(
        "The rope_type %s is not supported; supported are default, linear, dynamic, llama3, yarn, longrope"
            .formatted(kind),
        errorOf("rope_scaling", Map.of("rope_type", kind, "factor", 2.0)));
  }

  @Test
  void refusesPartialRotation() {
    assertEquals(
        "config.json: partial_rotary_factor is 0.5; llama models rotate whole heads",
        errorOf("partial_rotary_factor", 0.5));
  }

  @Test
  void refusesAnUnknownFamilyAndListsTheKnown() {
    assertEquals(
        "The model_type mamba is not supported; supported are llama, mistral, qwen2, qwen3,"
            + " smollm3, gemma2, gemma3_text, phi3, granite, olmo2, gpt2, gpt_neox",
        errorOf("model_type", "mamba"));
  }

  @Test
  void namesAFieldThatIsMissingOrWrong() {
    Map<String, Object> json = TinyModels.llamaJson();
    json.remove("hidden_size");
    assertEquals("config.json: hidden_size is missing", errorOf(json));
    assertEquals(
        "config.json: vocab_size is many; expected a number", errorOf("vocab_size", "many"));
    assertEquals(
        "config.json: num_hidden_layers is 0; expected a whole number of at least 1",
        errorOf("num_hidden_layers", 0));
    assertEquals(
        "config.json: tie_word_embeddings is 1; expected true or false",
        errorOf("tie_word_embeddings", 1));
    assertEquals(
        "config.json: num_attention_heads 4 is not a multiple of num_key_value_heads 3",
        errorOf("num_key_value_heads", 3));
    assertEquals(
        "config.json: head_dim is 7; it must be even, for the pairs that are rotated, and at most"
            + " 65536",
        errorOf("head_dim", 7));
    assertTrue(errorOf("head_dim", 1 << 17).startsWith("config.json: head_dim is 131072"));
  }

  @Test
  void readsMistralsWindow() {
    Map<String, Object> json = TinyModels.llamaJson("model_type", "mistral");
    assertEquals(OptionalInt.of(4096), windowOf(json));
    json.put("sliding_window", 64);
    assertEquals(OptionalInt.of(64), windowOf(json));
    json.put("sliding_window", null);
    assertEquals(OptionalInt.empty(), windowOf(json));
  }

  private static OptionalInt windowOf(Map<String, Object> json) {
    return ModelConfig.fromHuggingFace(json).attention().windows().getFirst();
  }

  @Test
  void refusesMoreLayersThanAnyModelHas() {
    assertEquals(
        "config.json: num_hidden_layers is 1000000000; no model has more than 16384",
        errorOf("num_hidden_layers", 1_000_000_000));
  }

  @Test
  void namesFieldsAsTheFamilyDoes() {
    assertEquals("config.json: n_embd is missing", errorOf(Map.of("model_type", "gpt2")));
  }

  @Test
  void refusesLayerTypesThatItCannotDo() {
    Map<String, Object> json = TinyModels.llamaJson("model_type", "qwen2");
    json.put("layer_types", List.of("full_attention", "chunked_attention"));
    assertEquals(
        "config.json: layer_types is [full_attention, chunked_attention]; expected full_attention"
            + " or sliding_attention for each of the 2 layers",
        errorOf(json));
    json.put("layer_types", List.of("full_attention", "sliding_attention"));
    assertTrue(
        errorOf(json).startsWith("config.json: sliding_window is 4096; a layer has sliding"));
  }
}
