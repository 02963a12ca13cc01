package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The families that the decoder can be configured as, by {@code model_type}: their structure, and
 * the defaults that transformers has for what their {@code config.json} leaves out.
 */
enum ModelFamily {
  /** Llama 2 and 3, SmolLM2, and what else calls itself llama. */
  LLAMA("llama", "Llama", FamilyStructure.LLAMA, Map.of()),
  MISTRAL(
      "mistral",
      "Mistral",
      FamilyStructure.MISTRAL,
      Map.of("num_key_value_heads", 8, "max_position_embeddings", 131_072, "sliding_window", 4096)),
  /** Qwen 2 and 2.5. */
  QWEN2(
      "qwen2",
      "Qwen2",
      FamilyStructure.QWEN2,
      Map.of(
          "num_key_value_heads",
          32,
          "max_position_embeddings",
          32_768,
          "sliding_window",
          4096,
          "max_window_layers",
          28)),
  QWEN3(
      "qwen3",
      "Qwen3",
      FamilyStructure.QWEN3,
      Map.of(
          "num_key_value_heads",
          32,
          "head_dim",
          128,
          "max_position_embeddings",
          32_768,
          "sliding_window",
          4096,
          "max_window_layers",
          28)),
  SMOLLM3(
      "smollm3",
      "SmolLM3",
      FamilyStructure.LLAMA,
      Map.of(
          "num_key_value_heads",
          4,
          "max_position_embeddings",
          32_768,
          "rope_theta",
          2_000_000,
          "tie_word_embeddings",
          true)),
  GEMMA2(
      "gemma2",
      "Gemma2",
      FamilyStructure.GEMMA2,
      Map.of(
          "num_key_value_heads",
          4,
          "head_dim",
          256,
          "max_position_embeddings",
          8192,
          "hidden_act",
          "gelu_pytorch_tanh",
          "tie_word_embeddings",
          true,
          "query_pre_attn_scalar",
          256,
          "sliding_window",
          4096,
          "final_logit_softcapping",
          30.0,
          "attn_logit_softcapping",
          50.0),
      Map.of("hidden_activation", "hidden_act")),
  /** The text models of Gemma 3. */
  GEMMA3(
      "gemma3_text",
      "Gemma3",
      FamilyStructure.GEMMA3,
      Map.of(
          "num_key_value_heads",
          4,
          "head_dim",
          256,
          "max_position_embeddings",
          131_072,
          "hidden_act",
          "gelu_pytorch_tanh",
          "tie_word_embeddings",
          true,
          "query_pre_attn_scalar",
          256,
          "sliding_window",
          4096,
          "rope_theta",
          1_000_000,
          "rope_local_base_freq",
          10_000),
      Map.of("hidden_activation", "hidden_act")),
  /** Phi 3, 3.5 and 4. */
  PHI3(
      "phi3",
      "Phi3",
      FamilyStructure.PHI3,
      Map.of(
          "max_position_embeddings",
          4096,
          "original_max_position_embeddings",
          4096,
          "rms_norm_eps",
          1e-5,
          "resid_pdrop",
          0.0)),
  GRANITE("granite", "Granite", FamilyStructure.LLAMA, Map.of("attention_multiplier", 1.0)),
  OLMO2("olmo2", "Olmo2", FamilyStructure.OLMO2, Map.of("rms_norm_eps", 1e-5)),
  GPT2(
      "gpt2",
      "GPT2",
      FamilyStructure.GPT2,
      Map.of(
          "max_position_embeddings",
          1024,
          "rms_norm_eps",
          1e-5,
          "hidden_act",
          "gelu_new",
          "tie_word_embeddings",
          true,
          "resid_pdrop",
          0.1,
          "embd_pdrop",
          0.1,
          "attention_dropout",
          0.1),
      Map.of(
          "n_embd", "hidden_size",
          "n_positions", "max_position_embeddings",
          "n_head", "num_attention_heads",
          "n_layer", "num_hidden_layers",
          "n_inner", "intermediate_size",
          "activation_function", "hidden_act",
          "layer_norm_epsilon", "rms_norm_eps",
          "attn_pdrop", "attention_dropout")),
  /** GPT-NeoX and Pythia. */
  GPT_NEOX(
      "gpt_neox",
      "GPTNeoX",
      FamilyStructure.GPT_NEOX,
      Map.of(
          "rms_norm_eps",
          1e-5,
          "hidden_act",
          "gelu",
          "attention_bias",
          true,
          "partial_rotary_factor",
          0.25,
          "use_parallel_residual",
          true),
      Map.of(
          "layer_norm_eps", "rms_norm_eps",
          "rotary_pct", "partial_rotary_factor",
          "rotary_emb_base", "rope_theta"));

  private static final Map<String, Object> COMMON_DEFAULTS =
      Map.of(
          "max_position_embeddings",
          2048,
          "rms_norm_eps",
          1e-6,
          "hidden_act",
          "silu",
          "rope_theta",
          10_000,
          "initializer_range",
          0.02);

  private final String modelType;
  private final String classPrefix;
  private final FamilyStructure structure;
  private final Map<String, Object> defaults;
  private final Map<String, String> aliases;

  ModelFamily(
      String modelType,
      String classPrefix,
      FamilyStructure structure,
      Map<String, Object> defaults) {
    this(modelType, classPrefix, structure, defaults, Map.of());
  }

  /**
   * Defines a family.
   *
   * @param defaults by Llama's names
   * @param aliases the family's own names of what Llama calls otherwise
   */
  ModelFamily(
      String modelType,
      String classPrefix,
      FamilyStructure structure,
      Map<String, Object> defaults,
      Map<String, String> aliases) {
    this.modelType = modelType;
    this.classPrefix = classPrefix;
    this.structure = structure;
    this.defaults = defaults;
    this.aliases = aliases;
  }

  /**
   * Returns the family of a {@code model_type}.
   *
   * @throws ConfigurationException if it is not known; the message lists the known
   */
  static ModelFamily of(String modelType) {
    for (ModelFamily family : values()) {
      if (family.modelType.equals(modelType)) {
        return family;
      }
    }
    throw new ConfigurationException(
        "The model_type %s is not supported; supported are %s"
            .formatted(
                modelType,
                Arrays.stream(values())
                    .map(family -> family.modelType)
                    .collect(Collectors.joining(", "))));
  }

  /** Returns the {@code model_type}. */
  String modelType() {
    return modelType;
  }

  /** Returns the family of a GGUF architecture, where there is one. */
  static Optional<ModelFamily> ofGguf(String architecture) {
    return Arrays.stream(values())
        .filter(family -> family.ggufArchitecture().equals(architecture))
        .findFirst();
  }

  /** Returns {@code general.architecture} of its GGUF files. */
  String ggufArchitecture() {
    return switch (this) {
      case MISTRAL -> LLAMA.modelType;
      case GEMMA3 -> "gemma3";
      case GPT_NEOX -> "gptneox";
      default -> modelType;
    };
  }

  /** Returns fields under the names that the family has for them. */
  Map<String, Object> ownNames(Map<String, Object> fields) {
    Map<String, String> own = reversed(aliases);
    Map<String, Object> renamed = new LinkedHashMap<>();
    fields.forEach((key, value) -> renamed.put(own.getOrDefault(key, key), value));
    return renamed;
  }

  /** Returns the class that transformers loads it as. */
  String architecture() {
    return this == GPT2 ? "GPT2LMHeadModel" : classPrefix + "ForCausalLM";
  }

  /**
   * Returns the class that transformers loads a classifier as.
   *
   * @throws ConfigurationException if there is none
   */
  String classifierArchitecture() {
    if (this == GRANITE) {
      throw new ConfigurationException("transformers has no sequence classifier of granite models");
    }
    return (this == GEMMA3 ? "Gemma3Text" : classPrefix) + "ForSequenceClassification";
  }

  /** Returns what all models of the family have in common. */
  FamilyStructure structure() {
    return structure;
  }

  /** Returns what the family calls its modules. */
  ModuleNames names() {
    return structure.names();
  }

  /** Returns the fields of a {@code config.json} under Llama's names, with the defaults. */
  ConfigFields fields(Map<String, Object> json) {
    Map<String, Object> values = new HashMap<>(COMMON_DEFAULTS);
    values.putAll(defaults);
    Map<String, Object> own = new LinkedHashMap<>();
    json.forEach((key, value) -> {
      if (aliases.containsKey(key)) {
        own.put(aliases.get(key), value);
      } else {
        values.put(key, value);
      }
    });
    values.putAll(own);
    return new ConfigFields("config.json", Collections.unmodifiableMap(values), reversed(aliases));
  }

  private static Map<String, String> reversed(Map<String, String> names) {
    return names.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getValue, Map.Entry::getKey));
  }
}
