package dev.panatune.model;

import dev.panatune.nn.RopeConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * What a GGUF file says of its model under the name of its architecture, by the keys that
 * llama.cpp's converter writes; the inverse of {@link GgufConfig}.
 */
final class GgufHyperparameters {
  private final ModelConfig config;
  private final ModelFamily family;
  private final Map<String, Object> values = new LinkedHashMap<>();

  private GgufHyperparameters(ModelConfig config) {
    this.config = config;
    this.family = config.family();
  }

  /** Returns the metadata of a model that {@link GgufLimits#check} let pass. */
  static Map<String, Object> of(ModelConfig config) {
    GgufHyperparameters parameters = new GgufHyperparameters(config);
    parameters.sizes();
    parameters.options();
    if (!config.positions().learned()) {
      parameters.rope(config.positions());
    }
    Map<String, Object> named = new LinkedHashMap<>();
    String prefix = config.family().ggufArchitecture() + ".";
    parameters.values.forEach((key, value) -> named.put(prefix + key, value));
    return named;
  }

  private void sizes() {
    values.put("vocab_size", config.vocabSize());
    values.put("context_length", config.maxPositions());
    values.put("embedding_length", config.hiddenSize());
    values.put("block_count", config.layerCount());
    values.put("feed_forward_length", config.intermediateSize());
    values.put("attention.head_count", config.queryHeads());
    if (family == ModelFamily.GPT2 || family == ModelFamily.GPT_NEOX) {
      values.put("attention.layer_norm_epsilon", (float) config.norm().epsilon());
      return;
    }
    values.put("attention.head_count_kv", config.keyValueHeads());
    values.put("attention.layer_norm_rms_epsilon", (float) config.norm().epsilon());
    values.put("attention.key_length", config.headDim());
    values.put("attention.value_length", config.headDim());
  }

  private void options() {
    switch (family) {
      case GEMMA2, GEMMA3 -> {
        Multipliers multipliers = config.multipliers();
        config.attention().softCap().ifPresent(cap -> put("attn_logit_softcapping", cap));
        multipliers.logitSoftCap().ifPresent(cap -> put("final_logit_softcapping", cap));
        window();
      }
      case PHI3, MISTRAL -> window();
      case GRANITE -> {
        put("attention.scale", config.attention().scale());
        put("embedding_scale", config.multipliers().embedding());
        put("residual_scale", config.multipliers().residual());
        put("logit_scale", 1 / config.multipliers().logits());
      }
      case GPT_NEOX -> values.put("use_parallel_residual", config.parallelResidual());
      default -> {}
    }
  }

  /** Phi's files say 0 for none. */
  private void window() {
    int window =
        config.attention().windows().stream()
            .flatMapToInt(OptionalInt::stream)
            .findFirst()
            .orElse(0);
    if (window > 0 || family == ModelFamily.PHI3) {
      values.put("attention.sliding_window", window);
    }
  }

  private void rope(PositionConfig positions) {
    RopeConfig rope = positions.ropes().getFirst();
    values.put("rope.dimension_count", positions.rotated());
    put("rope.freq_base", rope.theta());
    if (family == ModelFamily.GEMMA3) {
      put("rope.freq_base_swa", positions.ropes().get(1).theta());
    }
    switch (rope) {
      case RopeConfig.Linear linear -> {
        values.put("rope.scaling.type", "linear");
        put("rope.scaling.factor", linear.factor());
      }
      case RopeConfig.Yarn yarn -> {
        values.put("rope.scaling.type", "yarn");
        put("rope.scaling.factor", yarn.factor());
        originalContext((int) yarn.originalMaxPositions());
      }
      case RopeConfig.LongRope longRope -> {
        put("rope.scaling.attn_factor", longRope.attentionFactor());
        originalContext(longRope.originalMaxPositions());
      }
      default -> {} // unscaled, or a tensor of factors says it
    }
  }

  private void originalContext(int length) {
    values.put("rope.scaling.original_context_length", length);
  }

  private void put(String key, double value) {
    values.put(key, (float) value);
  }
}
