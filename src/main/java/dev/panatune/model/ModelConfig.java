package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.DType;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What the decoder is built from.
 *
 * @param modelType the family, by transformers' name
 * @param vocabSize rows of the embedding and of the head
 * @param hiddenSize width of the residual stream
 * @param layerCount decoder layers
 * @param attention the layers' attention
 * @param mlp the layers' MLP
 * @param norm the norms
 * @param positions how the order of tokens is known
 * @param multipliers what values are multiplied by on their way
 * @param parallelResidual whether a layer's MLP has the layer's input, beside the attention
 * @param tiedHead whether the head is the embedding's table
 * @param dropouts what training zeroes
 * @param initializerRange standard deviation of fresh weights
 * @param eosTokenIds the ids that end a text
 * @param storedDtype the dtype that the configuration says its weights have
 * @param classifier the head of a model that classifies; empty for a language model
 * @param source the whole {@code config.json} that this was read from
 */
public record ModelConfig(
    String modelType,
    int vocabSize,
    int hiddenSize,
    int layerCount,
    AttentionConfig attention,
    MlpConfig mlp,
    NormConfig norm,
    PositionConfig positions,
    Multipliers multipliers,
    boolean parallelResidual,
    boolean tiedHead,
    Dropouts dropouts,
    double initializerRange,
    List<Integer> eosTokenIds,
    Optional<DType> storedDtype,
    Optional<ClassifierConfig> classifier,
    Map<String, Object> source) {
  private static final int LARGEST_HEAD = 1 << 16;

  /** Checks what holds for every family. */
  public ModelConfig {
    if (attention.queryHeads() % attention.keyValueHeads() != 0) {
      throw new ConfigurationException(
          "config.json: num_attention_heads %d is not a multiple of num_key_value_heads %d"
              .formatted(attention.queryHeads(), attention.keyValueHeads()));
    }
    if (attention.headDim() % 2 != 0 || attention.headDim() > LARGEST_HEAD) {
      throw new ConfigurationException(
          "config.json: head_dim is %d; it must be even, for the pairs that are rotated, and at"
                  .formatted(attention.headDim())
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
    String modelType = new ConfigFields("config.json", json).string("model_type");
    return new ConfigReader(ModelFamily.of(modelType), json).read();
  }

  /** Returns the family. */
  ModelFamily family() {
    return ModelFamily.of(modelType);
  }

  /** Returns the heads of queries. */
  public int queryHeads() {
    return attention.queryHeads();
  }

  /** Returns the heads of keys and values. */
  public int keyValueHeads() {
    return attention.keyValueHeads();
  }

  /** Returns the width of a head. */
  public int headDim() {
    return attention.headDim();
  }

  /** Returns the width of the MLP's inner layer. */
  public int intermediateSize() {
    return mlp.width();
  }

  /** Returns the context length, in tokens, that the model was trained for. */
  public int maxPositions() {
    return positions.maxPositions();
  }

  /** Returns how many tokens a generated text may have with its prompt. */
  public int contextLength() {
    return positions.contextLength();
  }

  /** Returns what the head is called. */
  public String headName() {
    return classifier.isPresent() ? "score" : "lm_head";
  }

  /** Returns the path of the table of tokens. */
  public String embeddingName() {
    return family().names().embeddingPath();
  }

  /** Returns how many numbers the head gives for a token. */
  int headSize() {
    return classifier.map(ClassifierConfig::labels).orElse(vocabSize);
  }

  /**
   * Returns the same with a head that classifies, as transformers' {@code
   * ForSequenceClassification} of this family.
   *
   * @param classes their names
   * @param padId the id of padding where the configuration has none
   * @throws ConfigurationException if transformers has no such class
   */
  ModelConfig asClassifier(List<String> classes, OptionalInt padId) {
    Map<String, Object> json = new LinkedHashMap<>(source);
    json.put("architectures", List.of(family().classifierArchitecture()));
    Map<String, Object> names = new LinkedHashMap<>();
    Map<String, Object> ids = new LinkedHashMap<>();
    for (int i = 0; i < classes.size(); i++) {
      names.put(String.valueOf(i), classes.get(i));
      ids.put(classes.get(i), i);
    }
    json.put("id2label", names);
    json.put("label2id", ids);
    if (json.get("pad_token_id") == null && padId.isPresent()) {
      json.put("pad_token_id", padId.getAsInt());
    }
    return fromHuggingFace(json);
  }

  /** Returns the same with an untied head. */
  ModelConfig withUntiedHead() {
    Map<String, Object> json = new LinkedHashMap<>(source);
    json.put("tie_word_embeddings", false);
    return fromHuggingFace(json);
  }
}
