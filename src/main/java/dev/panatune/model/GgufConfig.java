package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.GgufFile;
import dev.panatune.format.GgufTensorInfo;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** Says in the words of a {@code config.json} what a GGUF file's metadata says of its model. */
final class GgufConfig {
  /** The tensors that hold LongRoPE's factors. */
  static final String LONG_FACTORS = "rope_factors_long.weight";

  static final String SHORT_FACTORS = "rope_factors_short.weight";

  private static final String WINDOW = "attention.sliding_window";

  private final GgufFile file;
  private final String architecture;
  private final ModelFamily family;

  private GgufConfig(GgufFile file, ModelFamily family) {
    this.file = file;
    this.family = family;
    architecture = family.ggufArchitecture();
  }

  /** Returns whether a tensor belongs to the configuration, and is no parameter. */
  static boolean isMetadata(String tensor) {
    return Set.of(GgufRopeFactors.TENSOR, LONG_FACTORS, SHORT_FACTORS).contains(tensor);
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
    ModelFamily family =
        ModelFamily.ofGguf(name)
            .orElseThrow(() ->
                new ConfigurationException(
                    "The GGUF architecture %s is not supported; supported are %s"
                        .formatted(name, known())));
    GgufConfig config = new GgufConfig(file, family);
    if (family == ModelFamily.LLAMA && config.number(WINDOW, 0) > 0) {
      // Of the families that share the architecture, Mistral alone has windows.
      config = new GgufConfig(file, ModelFamily.MISTRAL);
    }
    return config.family.ownNames(config.json());
  }

  private static String known() {
    return Arrays.stream(ModelFamily.values())
        .map(ModelFamily::ggufArchitecture)
        .distinct()
        .collect(Collectors.joining(", "));
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
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("architectures", List.of(family.architecture()));
    json.put("model_type", family.modelType());
    json.put("vocab_size", vocabulary());
    json.put("hidden_size", integer("embedding_length"));
    json.put("intermediate_size", integer("feed_forward_length"));
    json.put("num_hidden_layers", integer("block_count"));
    json.put("num_attention_heads", integer("attention.head_count"));
    json.put("max_position_embeddings", integer("context_length"));
    json.put("rms_norm_eps", epsilon());
    putHeads(json);
    putBiases(json);
    if (family.names().positions().isEmpty()) {
      json.put("rope_theta", theta());
      Map<String, Object> scaling = ropeScaling(headDim());
      if (!scaling.isEmpty()) {
        json.put("rope_scaling", scaling);
      }
    }
    json.put("hidden_act", family.fields(Map.of()).string("hidden_act"));
    json.put("tie_word_embeddings", !has("output.weight"));
    putOptions(json);
    generation(file).forEach(json::put);
    return json;
  }

  private double epsilon() {
    boolean layerNorm = family.structure().norm() == NormConfig.Kind.LAYER;
    return layerNorm
        ? number("attention.layer_norm_epsilon", 1e-5)
        : number("attention.layer_norm_rms_epsilon", 1e-6);
  }

  private double theta() {
    return number("rope.freq_base", family.fields(Map.of()).number("rope_theta"));
  }

  private int usualHeadDim() {
    return Math.max(1, integer("embedding_length") / integer("attention.head_count"));
  }

  /** Returns the size of a head, of which Phi and GPT-NeoX rotate a part. */
  private int headDim() {
    return isPartial() ? integer("attention.key_length", usualHeadDim()) : headDim(usualHeadDim());
  }

  private boolean isPartial() {
    return family == ModelFamily.PHI3 || family == ModelFamily.GPT_NEOX;
  }

  private void putHeads(Map<String, Object> json) {
    if (family == ModelFamily.GPT2 || family == ModelFamily.GPT_NEOX) {
      return;
    }
    int heads = integer("attention.head_count");
    json.put("num_key_value_heads", integer("attention.head_count_kv", heads));
    boolean own = family == ModelFamily.LLAMA || family.fields(Map.of()).has("head_dim");
    if (own || headDim() != usualHeadDim()) {
      json.put("head_dim", headDim());
    }
  }

  private void putBiases(Map<String, Object> json) {
    FamilyStructure structure = family.structure();
    if (structure.inputBias() == FamilyStructure.Bias.STATED) {
      json.put("attention_bias", has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias"));
    }
    if (structure.mlpBias() == FamilyStructure.Bias.STATED) {
      json.put("mlp_bias", has("blk.0.ffn_up.bias"));
    }
  }

  private void putOptions(Map<String, Object> json) {
    switch (family) {
      case GEMMA2 -> {
        putNumber(json, "attn_logit_softcapping", "attn_logit_softcapping");
        putGemma(json);
      }
      case GEMMA3 -> {
        putNumber(json, "rope_local_base_freq", "rope.freq_base_swa");
        putGemma(json);
      }
      case GRANITE -> {
        putNumber(json, "attention_multiplier", "attention.scale");
        putNumber(json, "embedding_multiplier", "embedding_scale");
        putNumber(json, "residual_multiplier", "residual_scale");
        putNumber(json, "logits_scaling", "logit_scale");
      }
      case MISTRAL -> putWindow(json);
      case PHI3 -> {
        putWindow(json);
        json.put("partial_rotary_factor", rotatedPart());
        json.put(
            "original_max_position_embeddings",
            integer("rope.scaling.original_context_length", integer("context_length")));
      }
      case GPT_NEOX -> {
        json.put("partial_rotary_factor", rotatedPart());
        json.put(
            "use_parallel_residual",
            !Boolean.FALSE.equals(file.metadata().get(architecture + ".use_parallel_residual")));
      }
      default -> {}
    }
  }

  /** The scale of attention is not stored: llama.cpp knows it by the size of the model. */
  private void putGemma(Map<String, Object> json) {
    putNumber(json, "final_logit_softcapping", "final_logit_softcapping");
    putWindow(json);
    json.put(
        "query_pre_attn_scalar",
        GgufLimits.queryScalar(family, integer("block_count"), usualHeadDim(), headDim()));
  }

  private void putWindow(Map<String, Object> json) {
    double window = number(WINDOW, 0);
    if (window > 0) {
      json.put("sliding_window", wholeNumber(WINDOW, window));
    }
  }

  private void putNumber(Map<String, Object> json, String key, String source) {
    if (file.metadata().containsKey(architecture + "." + source)) {
      json.put(key, number(source, Double.NaN));
    }
  }

  /** Returns the factor by which a head's size, cut to a whole number, is what is rotated. */
  private double rotatedPart() {
    int rotated = integer("rope.dimension_count", headDim());
    double part = (double) rotated / headDim();
    return (int) (headDim() * part) == rotated ? part : Math.nextUp(part);
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
          ("%s: %s.rope.dimension_count %d is not the head's size %d; models of this family"
                  + " rotate whole heads")
              .formatted(file.path(), architecture, rotated, keyLength));
    }
    return keyLength;
  }

  private Map<String, Object> ropeScaling(int headDim) {
    if (has(GgufRopeFactors.TENSOR)) {
      return GgufRopeFactors.read(file, headDim, theta());
    }
    if (has(LONG_FACTORS) && has(SHORT_FACTORS)) {
      return longRope();
    }
    Object kind = file.metadata().getOrDefault(architecture + ".rope.scaling.type", "none");
    return switch (kind.toString()) {
      case "none" -> Map.of();
      case "linear" -> Map.of("rope_type", "linear", "factor", number("rope.scaling.factor", 1));
      case "yarn" ->
          Map.of(
              "rope_type",
              "yarn",
              "factor",
              number("rope.scaling.factor", 1),
              "original_max_position_embeddings",
              integer("rope.scaling.original_context_length"));
      default ->
          throw new ConfigurationException(
              "%s: rope.scaling.type %s is not supported; supported are none, linear and yarn"
                  .formatted(file.path(), kind));
    };
  }

  private Map<String, Object> longRope() {
    Map<String, Object> scaling = new LinkedHashMap<>();
    scaling.put("rope_type", "longrope");
    scaling.put("short_factor", factors(SHORT_FACTORS));
    scaling.put("long_factor", factors(LONG_FACTORS));
    putNumber(scaling, "attention_factor", "rope.scaling.attn_factor");
    return scaling;
  }

  private List<Double> factors(String tensor) {
    List<Double> factors = new ArrayList<>();
    for (float factor : GgufRopeFactors.load(file, tensor)) {
      factors.add((double) factor);
    }
    return factors;
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
