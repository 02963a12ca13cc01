package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.stream.Collectors;

/** The families that the decoder can be configured as, by {@code model_type}. */
enum ModelFamily {
  /** Llama 2 and 3, SmolLM2, and what else calls itself llama. */
  LLAMA("llama", "LlamaForCausalLM"),
  /** Mistral, with a sliding window that is not shorter than its context, or none. */
  MISTRAL("mistral", "MistralForCausalLM") {
    @Override
    int defaultKeyValueHeads(int queryHeads) {
      return 8;
    }

    @Override
    void check(ConfigFields config, int maxPositions) {
      // A window that is absent is transformers' default, one that is null is none.
      if (config.contains("sliding_window") && !config.has("sliding_window")) {
        return;
      }
      if (config.positive("sliding_window", 4096) < maxPositions) {
        throw config.error(
            "sliding_window",
            "a window shorter than max_position_embeddings (%d) is not supported yet"
                .formatted(maxPositions));
      }
    }
  };

  private final String modelType;
  private final String architecture;

  ModelFamily(String modelType, String architecture) {
    this.modelType = modelType;
    this.architecture = architecture;
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

  /** Returns the class that transformers loads it as. */
  String architecture() {
    return architecture;
  }

  /** Returns transformers' default of {@code num_key_value_heads}. */
  int defaultKeyValueHeads(int queryHeads) {
    return queryHeads;
  }

  /**
   * Refuses what this family's configuration can say and the decoder cannot do.
   *
   * @throws ConfigurationException naming the field
   */
  void check(ConfigFields config, int maxPositions) {}
}
