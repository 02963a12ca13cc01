package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.GgufFile;
import dev.panatune.format.GgufTensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Says in the words of a {@code config.json} what a GGUF file's metadata says of its model. */
final class GgufConfig {
  private static final List<String> KNOWN = List.of("llama");

  private final GgufFile file;
  private final String architecture;

  private GgufConfig(GgufFile file, String architecture) {
    this.file = file;
    this.architecture = architecture;
  }

  /**
   * Returns the {@code config.json} that the model would have.
   *
   * @throws ConfigurationException if the architecture or an option is not supported
   * @throws FormatException if the metadata do not say what is needed
   */
  static Map<String, Object> huggingFace(GgufFile file) {
    Object architecture = file.metadata().get("general.architecture");
    if (!(architecture instanceof String name)) {
      throw new FormatException(
          "%s: general.architecture is missing; this is not a language model"
              .formatted(file.path()));
    }
    if (!KNOWN.contains(name)) {
      throw new ConfigurationException(
          "The GGUF architecture %s is not supported; supported are %s"
              .formatted(name, String.join(", ", KNOWN)));
    }
    return new GgufConfig(file, name).json();
  }

  /** Returns the {@code generation_config.json} that the model would have. */
  static Map<String, Object> generation(GgufFile file) {
    Map<String, Object> json = new LinkedHashMap<>();
    putId(file, json, "bos_token_id", "tokenizer.ggml.bos_token_id");
    Set<Object> ends = new LinkedHashSet<>();
    for (String key : List.of("eos", "eot")) {
      Object id = file.metadata().get("tokenizer.ggml.%s_token_id".formatted(key));
      if (id instanceof Long number && isId(number)) {
        ends.add(number.intValue());
      }
    }
    if (!ends.isEmpty()) {
      json.put("eos_token_id", ends.size() == 1 ? ends.iterator().next() : new ArrayList<>(ends));
    }
    putId(file, json, "pad_token_id", "tokenizer.ggml.padding_token_id");
    return json;
  }

  private static void putId(GgufFile file, Map<String, Object> json, String key, String source) {
    if (file.metadata().get(source) instanceof Long id && isId(id)) {
      json.put(key, id.intValue());
    }
  }

  private static boolean isId(long id) {
    return id >= 0 && id <= Integer.MAX_VALUE;
  }

  private Map<String, Object> json() {
    if (number("expert_count", 0) > 0) {
      throw new ConfigurationException(
          "%s: mixtures of experts (%s.expert_count) are not supported"
              .formatted(file.path(), architecture));
    }
    int heads = integer("attention.head_count");
    int hidden = integer("embedding_length");
    int headDim = headDim(Math.max(1, hidden / heads));
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("architectures", List.of(ModelFamily.of(architecture).architecture()));
    json.put("model_type", architecture);
    json.put("vocab_size", vocabulary());
    json.put("hidden_size", hidden);
    json.put("intermediate_size", integer("feed_forward_length"));
    json.put("num_hidden_layers", integer("block_count"));
    json.put("num_attention_heads", heads);
    json.put("num_key_value_heads", integer("attention.head_count_kv", heads));
    json.put("head_dim", headDim);
    json.put("max_position_embeddings", integer("context_length"));
    json.put("rms_norm_eps", number("attention.layer_norm_rms_epsilon", 1e-6));
    json.put("rope_theta", number("rope.freq_base", 10_000));
    Map<String, Object> scaling = ropeScaling(headDim);
    if (!scaling.isEmpty()) {
      json.put("rope_scaling", scaling);
    }
    json.put("hidden_act", "silu");
    json.put("attention_bias", has("blk.0.attn_q.bias"));
    json.put("mlp_bias", has("blk.0.ffn_up.bias"));
    json.put("tie_word_embeddings", !has("output.weight"));
    generation(file).forEach(json::put);
    return json;
  }

  private int vocabulary() {
    GgufTensorInfo embedding = file.tensors().get("token_embd.weight");
    if (embedding == null || embedding.shape().length != 2) {
      throw new FormatException(
          "%s has no matrix token_embd.weight; this is not a language model"
              .formatted(file.path()));
    }
    return wholeNumber("vocab_size", embedding.shape()[0]);
  }

  private int headDim(int fallback) {
    int keyLength = integer("attention.key_length", fallback);
    int rotated = integer("rope.dimension_count", keyLength);
    if (rotated != keyLength) {
      throw new ConfigurationException(
          ("%s: %s.rope.dimension_count %d is not the head's size %d; partial rotation is"
                  + " not supported yet")
              .formatted(file.path(), architecture, rotated, keyLength));
    }
    return keyLength;
  }

  private Map<String, Object> ropeScaling(int headDim) {
    if (has(GgufRopeFactors.TENSOR)) {
      return GgufRopeFactors.read(file, headDim, number("rope.freq_base", 10_000));
    }
    Object kind = file.metadata().getOrDefault(architecture + ".rope.scaling.type", "none");
    return switch (kind.toString()) {
      case "none" -> Map.of();
      case "linear" -> Map.of("rope_type", "linear", "factor", number("rope.scaling.factor", 1));
      default ->
          throw new ConfigurationException(
              "%s: rope.scaling.type %s is not supported; supported are none and linear"
                  .formatted(file.path(), kind));
    };
  }

  private boolean has(String tensor) {
    return file.tensors().containsKey(tensor);
  }

  private int integer(String key) {
    return wholeNumber(key, number(key, Double.NaN));
  }

  private int integer(String key, int fallback) {
    return wholeNumber(key, number(key, fallback));
  }

  private int wholeNumber(String key, double value) {
    if (Double.isNaN(value)) {
      throw new FormatException(
          "%s: the metadata %s.%s is missing".formatted(file.path(), architecture, key));
    }
    if (value < 1 || value > Integer.MAX_VALUE) {
      throw new FormatException(
          "%s: the metadata %s.%s is %.0f, which is no size"
              .formatted(file.path(), architecture, key, value));
    }
    return (int) value;
  }

  private double number(String key, double fallback) {
    Object value = file.metadata().get(architecture + "." + key);
    if (value == null) {
      return fallback;
    }
    if (value instanceof Number number) {
      return number.doubleValue();
    }
    throw new ConfigurationException(
        "%s: %s.%s is %s; only one number for all layers is supported"
            .formatted(file.path(), architecture, key, value));
  }
}
