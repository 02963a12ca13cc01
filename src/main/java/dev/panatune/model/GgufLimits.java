package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.Activation;
import dev.panatune.nn.RopeConfig;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.IntPredicate;

/**
 * What the GGUF form of a family cannot say, which is what llama.cpp's code for the architecture
 * takes for granted.
 */
final class GgufLimits {
  /** Layers of the largest models, which llama.cpp gives another scale of attention. */
  private static final int GEMMA2_27B_LAYERS = 46;

  private static final int GEMMA3_27B_LAYERS = 62;
  private static final int GEMMA2_PATTERN = 2;
  private static final int GEMMA3_PATTERN = 6;
  private static final int SMOLLM3_PATTERN = 4;
  private static final double TOLERANCE = 1e-6;

  private final ModelConfig config;
  private final ModelFamily family;

  private GgufLimits(ModelConfig config) {
    this.config = config;
    this.family = config.family();
  }

  /**
   * Checks that a model can be told from its GGUF file.
   *
   * @throws ConfigurationException if an option of it has no form; the message names the option
   */
  static void check(ModelConfig config) {
    GgufLimits limits = new GgufLimits(config);
    limits.checkWhole();
    limits.checkAttention();
    limits.checkPositions();
    for (int i = 0; i < config.positions().ropes().size(); i++) {
      limits.checkRope(config.positions().ropes().get(i), i);
    }
  }

  /**
   * Returns {@code query_pre_attn_scalar} of a Gemma model, of which files say nothing.
   *
   * @param usualHeadDim the hidden size by the number of heads
   */
  static int queryScalar(ModelFamily family, int layers, int usualHeadDim, int headDim) {
    int largest = family == ModelFamily.GEMMA2 ? GEMMA2_27B_LAYERS : GEMMA3_27B_LAYERS;
    return layers == largest ? usualHeadDim : headDim;
  }

  private void checkWhole() {
    refuse(config.classifier().isPresent(), "a classifier's head");
    Activation usual = Activation.parse(family.fields(Map.of()).string("hidden_act"));
    refuse(
        config.mlp().activation() != usual,
        "hidden_act " + config.mlp().activation() + " in the place of " + usual);
    boolean biased = family == ModelFamily.LLAMA || family == ModelFamily.GRANITE;
    boolean stated = family.structure().mlpBias() == FamilyStructure.Bias.STATED;
    refuse(stated && config.mlp().bias() && !biased, "mlp_bias");
    switch (family) {
      case GEMMA2 -> {
        refuse(!config.tiedHead(), "tie_word_embeddings: false");
        refuse(config.multipliers().logitSoftCap().isEmpty(), "no final_logit_softcapping");
        refuse(config.attention().softCap().isEmpty(), "no attn_logit_softcapping");
      }
      case OLMO2, GPT_NEOX -> refuse(config.tiedHead(), "tie_word_embeddings: true");
      default -> {}
    }
  }

  private void checkAttention() {
    AttentionConfig attention = config.attention();
    boolean biased = family == ModelFamily.LLAMA || family == ModelFamily.GRANITE;
    boolean stated = family.structure().outputBias() == FamilyStructure.Bias.STATED;
    if (family == ModelFamily.GPT_NEOX) {
      refuse(!attention.outputBias(), "attention_bias: false");
    } else {
      refuse(stated && attention.outputBias() && !biased, "attention_bias: true");
    }
    refuse(attention.scaledByDepth(), "scale_attn_by_inverse_layer_idx");
    refuse(
        family != ModelFamily.GRANITE && differ(attention.scale(), usualScale()),
        "attention scores times %s in the place of %s".formatted(attention.scale(), usualScale()));
    boolean ownHeadDim =
        switch (family) {
          case QWEN2, OLMO2, PHI3, GPT2, GPT_NEOX -> false;
          default -> true;
        };
    int width = attention.queryHeads() * attention.headDim();
    refuse(
        !ownHeadDim && width != config.hiddenSize(),
        "head_dim %d, whose %d heads are not as wide as hidden_size %d"
            .formatted(attention.headDim(), attention.queryHeads(), config.hiddenSize()));
  }

  private double usualScale() {
    int headDim = config.headDim();
    return switch (family) {
      case GEMMA2, GEMMA3 -> {
        int usual = config.hiddenSize() / config.queryHeads();
        yield 1 / Math.sqrt(queryScalar(family, config.layerCount(), usual, headDim));
      }
      default -> 1 / Math.sqrt(headDim);
    };
  }

  private void checkPositions() {
    boolean windows = config.attention().windows().stream().anyMatch(OptionalInt::isPresent);
    switch (family) {
      case GEMMA2 -> checkWindows(layer -> (layer + 1) % GEMMA2_PATTERN != 0);
      case GEMMA3 -> checkWindows(layer -> (layer + 1) % GEMMA3_PATTERN != 0);
      case PHI3, MISTRAL -> {} // every layer, or none
      default -> refuse(windows, "sliding_window");
    }
    for (int layer = 0; layer < config.layerCount(); layer++) {
      boolean rotated = config.positions().ropeOfLayer().get(layer).isPresent();
      boolean usual = family != ModelFamily.SMOLLM3 || (layer + 1) % SMOLLM3_PATTERN != 0;
      refuse(
          !config.positions().learned() && rotated != usual,
          "no_rope_layers other than every fourth");
    }
  }

  private void checkWindows(IntPredicate usual) {
    for (int layer = 0; layer < config.layerCount(); layer++) {
      boolean sliding = config.attention().windows().get(layer).isPresent();
      refuse(sliding != usual.test(layer), "layer_types other than its usual ones");
    }
  }

  /** Checks one of the rotary embeddings; the second is that of Gemma 3's windows. */
  private void checkRope(RopeConfig rope, int number) {
    boolean allowed =
        switch (rope) {
          case RopeConfig.Standard _ -> true;
          case RopeConfig.Linear _ -> number == 0 && family != ModelFamily.PHI3;
          case RopeConfig.Yarn _ -> family != ModelFamily.PHI3 && family != ModelFamily.GEMMA3;
          case RopeConfig.Llama3 _ ->
              switch (family) {
                case LLAMA, MISTRAL, GRANITE -> true;
                default -> false;
              };
          case RopeConfig.LongRope _ -> family == ModelFamily.PHI3;
          case RopeConfig.Dynamic _ -> false;
        };
    refuse(!allowed, "rope_type " + rope.getClass().getSimpleName().toLowerCase(Locale.ROOT));
    if (rope instanceof RopeConfig.Llama3 llama3) {
      refuse(
          !GgufRopeFactors.canBeRead(llama3),
          "low_freq_factor, high_freq_factor or original_max_position_embeddings other than those"
              + " of published models");
    }
    if (rope instanceof RopeConfig.Yarn yarn) {
      refuse(differ(yarn.betaFast(), 32) || differ(yarn.betaSlow(), 1), "beta_fast or beta_slow");
      refuse(!yarn.truncate(), "truncate: false");
      double usual = yarn.factor() <= 1 ? 1 : 0.1 * Math.log(yarn.factor()) + 1;
      refuse(differ(yarn.attentionFactor(), usual), "attention_factor");
    }
  }

  private static boolean differ(double a, double b) {
    return Math.abs(a - b) > TOLERANCE * Math.abs(b);
  }

  private void refuse(boolean refused, String what) {
    if (refused) {
      throw new ConfigurationException(
          "A model of the family %s with %s is not written as GGUF: the form has no place for it"
              .formatted(config.modelType(), what));
    }
  }
}
