package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.Activation;
import dev.panatune.nn.RopeConfig;
import dev.panatune.tensor.DType;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What the decoder is built from.
 *
 * @param modelType the family, by transformers' name
 * @param vocabSize rows of the embedding and of the head
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the MLP
 * @param layerCount decoder layers
 * @param queryHeads attention heads; a multiple of {@code keyValueHeads}
 * @param keyValueHeads heads of keys and values
 * @param headDim width of a head
 * @param maxPositions the context length, in tokens
 * @param normEpsilon added to the mean square in norms
 * @param rope the rotary embedding
 * @param activation the MLP's non-linearity
 * @param attentionBias whether the four projections of the attention have biases
 * @param mlpBias whether the three projections of the MLP have biases
 * @param tiedHead whether the head is the embedding's table
 * @param attentionDropout the dropout that training in transformers would put on attention weights
 * @param initializerRange standard deviation of fresh weights
 * @param eosTokenIds the ids that end a text
 * @param storedDtype the dtype that the configuration says its weights have
 * @param source the whole {@code config.json} that this was read from
 */
public record ModelConfig(
    String modelType,
    int vocabSize,
    int hiddenSize,
    int intermediateSize,
    int layerCount,
    int queryHeads,
    int keyValueHeads,
    int headDim,
    int maxPositions,
    double normEpsilon,
    RopeConfig rope,
    Activation activation,
    boolean attentionBias,
    boolean mlpBias,
    boolean tiedHead,
    double attentionDropout,
    double initializerRange,
    List<Integer> eosTokenIds,
    Optional<DType> storedDtype,
    Map<String, Object> source) {
  private static final int LARGEST_HEAD = 1 << 16;

  /** Checks what holds for every family. */
  public ModelConfig {
    if (queryHeads % keyValueHeads != 0) {
      throw new ConfigurationException(
          "config.json: num_attention_heads %d is not a multiple of num_key_value_heads %d"
              .formatted(queryHeads, keyValueHeads));
    }
    if (headDim % 2 != 0 || headDim > LARGEST_HEAD) {
      throw new ConfigurationException(
          "config.json: head_dim is %d; it must be even, for the pairs that are rotated, and at"
                  .formatted(headDim)
              + " most "
              + LARGEST_HEAD);
    }
    eosTokenIds = List.copyOf(eosTokenIds);
    source = Collections.unmodifiableMap(new LinkedHashMap<>(source));
  }

  /**
   * Reads the fields of a {@code config.json}; fields that are absent have transformers' defaults.
   *
   * @throws ConfigurationException if the family or an option is not supported, or a field is
   *     missing or of a wrong type; the message names it
   */
  public static ModelConfig fromHuggingFace(Map<String, Object> json) {
    ConfigFields config = new ConfigFields("config.json", json);
    ModelFamily family = ModelFamily.of(config.string("model_type"));
    int hiddenSize = config.positive("hidden_size");
    int queryHeads = config.positive("num_attention_heads");
    int maxPositions = config.positive("max_position_embeddings", 2048);
    family.check(config, maxPositions);
    return new ModelConfig(
        config.string("model_type"),
        config.positive("vocab_size"),
        hiddenSize,
        config.positive("intermediate_size"),
        config.positive("num_hidden_layers"),
        queryHeads,
        config.positive("num_key_value_heads", family.defaultKeyValueHeads(queryHeads)),
        config.positive("head_dim", Math.max(1, hiddenSize / queryHeads)),
        maxPositions,
        config.number("rms_norm_eps", 1e-6),
        RopeFields.read(config),
        Activation.parse(config.string("hidden_act", "silu")),
        config.flag("attention_bias", false),
        config.flag("mlp_bias", false),
        config.flag("tie_word_embeddings", false),
        config.number("attention_dropout", 0),
        config.number("initializer_range", 0.02),
        config.tokenIds("eos_token_id"),
        storedDtype(config),
        json);
  }

  /** Reads {@code dtype}, or {@code torch_dtype} as it was called before transformers 5. */
  private static Optional<DType> storedDtype(ConfigFields config) {
    String key = config.has("dtype") ? "dtype" : "torch_dtype";
    return config.has(key) ? Optional.of(DType.parse(config.string(key))) : Optional.empty();
  }

  /** Returns the same with an untied head. */
  ModelConfig withUntiedHead() {
    Map<String, Object> json = new LinkedHashMap<>(source);
    json.put("tie_word_embeddings", false);
    return fromHuggingFace(json);
  }
}
