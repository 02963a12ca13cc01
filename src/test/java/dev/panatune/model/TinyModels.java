package dev.panatune.model;

import java.util.LinkedHashMap;
import java.util.Map;

/** Configurations that are small enough for tests, with weights large enough to tell. */
public final class TinyModels {
  private TinyModels() {}

  /** Returns a {@code config.json}: llama, 2 layers, 4 heads over 2, hidden 32, vocabulary 61. */
  public static Map<String, Object> llamaJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model_type", "llama");
    json.put("vocab_size", 61);
    json.put("hidden_size", 32);
    json.put("intermediate_size", 48);
    json.put("num_hidden_layers", 2);
    json.put("num_attention_heads", 4);
    json.put("num_key_value_heads", 2);
    json.put("max_position_embeddings", 128);
    json.put("rms_norm_eps", 1e-5);
    json.put("initializer_range", 0.2);
    json.put("eos_token_id", 2);
    return json;
  }

  /** Returns {@link #llamaJson} with one field changed or added. */
  public static Map<String, Object> llamaJson(String key, Object value) {
    Map<String, Object> json = llamaJson();
    json.put(key, value);
    return json;
  }

  /** Returns the configuration of {@link #llamaJson}. */
  public static ModelConfig llama() {
    return ModelConfig.fromHuggingFace(llamaJson());
  }

  /** Returns the configuration of {@link #llamaJson} with one field changed or added. */
  public static ModelConfig llama(String key, Object value) {
    return ModelConfig.fromHuggingFace(llamaJson(key, value));
  }
}
