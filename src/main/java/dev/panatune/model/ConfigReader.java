package dev.panatune.model;

import dev.panatune.nn.Activation;
import dev.panatune.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** Reads a {@code config.json} by the rules of its family. */
final class ConfigReader {
  private static final String LAYERS = "num_hidden_layers";
  private static final int MOST_LAYERS = 1 << 14;

  private final ModelFamily family;
  private final FamilyStructure structure;
  private final Map<String, Object> json;
  private final ConfigFields config;

  ConfigReader(ModelFamily family, Map<String, Object> json) {
    this.family = family;
    this.structure = family.structure();
    this.json = json;
    config = family.fields(json);
  }

  ModelConfig read() {
    refuse("use_bidirectional_attention");
    refuse("add_cross_attention");
    int hiddenSize = config.positive("hidden_size");
    int layerCount = config.positive(LAYERS);
    if (layerCount > MOST_LAYERS) {
      throw config.error(LAYERS, "no model has more than " + MOST_LAYERS);
    }
    AttentionConfig attention = attention(hiddenSize, layerCount);
    Optional<ClassifierConfig> classifier = classifier();
    return new ModelConfig(
        family.modelType(),
        config.positive("vocab_size"),
        hiddenSize,
        layerCount,
        attention,
        mlp(hiddenSize),
        new NormConfig(structure.norm(), config.number("rms_norm_eps")),
        new RopeLayers(family, config, layerCount, attention.headDim()).read(),
        multipliers(hiddenSize),
        config.flag("use_parallel_residual", false) && family == ModelFamily.GPT_NEOX,
        classifier.isEmpty() && config.flag("tie_word_embeddings", false),
        dropouts(),
        config.number("initializer_range"),
        config.tokenIds("eos_token_id"),
        storedDtype(),
        classifier,
        json);
  }

  private void refuse(String key) {
    if (config.flag(key, false)) {
      throw config.error(key, "it is not supported");
    }
  }

  private AttentionConfig attention(int hiddenSize, int layerCount) {
    int queryHeads = config.positive("num_attention_heads");
    int headDim = config.positive("head_dim", Math.max(1, hiddenSize / queryHeads));
    boolean ownHeads = family == ModelFamily.GPT2 || family == ModelFamily.GPT_NEOX;
    int keyValueHeads = ownHeads ? queryHeads : config.positive("num_key_value_heads", queryHeads);
    // Gemma 3's configuration has the field too, and its model does without.
    boolean gemma2 = family == ModelFamily.GEMMA2;
    return new AttentionConfig(
        queryHeads,
        keyValueHeads,
        headDim,
        structure.attention(),
        bias(structure.inputBias(), "attention_bias"),
        bias(structure.outputBias(), "attention_bias"),
        structure.attentionNorm(),
        scale(headDim),
        family == ModelFamily.GPT2 && config.flag("scale_attn_by_inverse_layer_idx", false),
        gemma2 ? config.optionalNumber("attn_logit_softcapping") : OptionalDouble.empty(),
        new LayerWindows(family, config, layerCount).read());
  }

  private double scale(int headDim) {
    return switch (family) {
      case GEMMA2, GEMMA3 -> 1 / Math.sqrt(config.number("query_pre_attn_scalar"));
      case GRANITE -> config.number("attention_multiplier");
      case GPT2 -> config.flag("scale_attn_weights", true) ? 1 / Math.sqrt(headDim) : 1;
      default -> 1 / Math.sqrt(headDim);
    };
  }

  private MlpConfig mlp(int hiddenSize) {
    int width =
        family == ModelFamily.GPT2
            ? config.positive("intermediate_size", 4 * hiddenSize)
            : config.positive("intermediate_size");
    return new MlpConfig(
        width,
        structure.mlp(),
        Activation.parse(config.string("hidden_act")),
        bias(structure.mlpBias(), "mlp_bias"));
  }

  private boolean bias(FamilyStructure.Bias rule, String key) {
    return switch (rule) {
      case NEVER -> false;
      case ALWAYS -> true;
      case STATED -> config.flag(key, false);
    };
  }

  private Optional<ClassifierConfig> classifier() {
    boolean classifies =
        config.list("architectures").stream()
            .flatMap(List::stream)
            .anyMatch(name -> name.toString().endsWith("ForSequenceClassification"));
    if (!classifies) {
      return Optional.empty();
    }
    family.classifierArchitecture();
    List<String> names =
        config
            .map("id2label")
            .map(ClassifierConfig::named)
            .orElseGet(() -> ClassifierConfig.unnamed(config.positive("num_labels", 2)));
    List<Integer> pad = config.tokenIds("pad_token_id");
    return Optional.of(
        new ClassifierConfig(
            names,
            pad.isEmpty() ? OptionalInt.empty() : OptionalInt.of(pad.getFirst()),
            problem(names.size())));
  }

  private ClassifierConfig.Problem problem(int labels) {
    if (!config.has("problem_type")) {
      return labels == 1
          ? ClassifierConfig.Problem.REGRESSION
          : ClassifierConfig.Problem.SINGLE_LABEL;
    }
    String stated = config.string("problem_type");
    return Arrays.stream(ClassifierConfig.Problem.values())
        .filter(problem -> problem.id().equals(stated))
        .findFirst()
        .orElseThrow(() -> config.error("problem_type", "it is not known"));
  }

  private Multipliers multipliers(int hiddenSize) {
    return switch (family) {
      case GEMMA2, GEMMA3 ->
          new Multipliers(
              Math.sqrt(hiddenSize), 1, 1, 1, config.optionalNumber("final_logit_softcapping"));
      case GRANITE ->
          new Multipliers(
              1,
              config.number("embedding_multiplier", 1),
              config.number("residual_multiplier", 1),
              1 / config.number("logits_scaling", 1),
              OptionalDouble.empty());
      default -> Multipliers.NONE;
    };
  }

  private Dropouts dropouts() {
    double attention = config.number("attention_dropout", 0);
    return switch (family) {
      case GPT2 ->
          new Dropouts(attention, config.number("resid_pdrop"), config.number("embd_pdrop"));
      case PHI3 -> new Dropouts(attention, config.number("resid_pdrop"), 0);
      case GPT_NEOX -> {
        double hidden = config.number("hidden_dropout", 0);
        yield new Dropouts(attention, hidden, hidden);
      }
      default -> new Dropouts(attention, 0, 0);
    };
  }

  /** Reads {@code dtype}, or {@code torch_dtype} as it was called before transformers 5. */
  private Optional<DType> storedDtype() {
    String key = config.has("dtype") ? "dtype" : "torch_dtype";
    return config.has(key) ? Optional.of(DType.parse(config.string(key))) : Optional.empty();
  }
}
