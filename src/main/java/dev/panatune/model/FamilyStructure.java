package dev.panatune.model;

/**
 * What all models of a family have in common, whatever their {@code config.json} says.
 *
 * @param names the modules, and which norms there are
 * @param norm the kind of the norms
 * @param attention how queries, keys and values are projected
 * @param attentionNorm norms of queries and keys
 * @param inputBias biases of the projections to queries, keys and values
 * @param outputBias the bias of the projection after the heads
 * @param mlp the layers of the MLP
 * @param mlpBias biases of the MLP's layers
 * @param conv1d whether the layers' linear layers have weights [in, out]
 */
record FamilyStructure(
    ModuleNames names,
    NormConfig.Kind norm,
    AttentionConfig.Layout attention,
    AttentionConfig.Norm attentionNorm,
    Bias inputBias,
    Bias outputBias,
    MlpConfig.Layout mlp,
    Bias mlpBias,
    boolean conv1d) {

  /** Whether linear layers have biases. */
  enum Bias {
    NEVER,
    /** As {@code attention_bias} or {@code mlp_bias} says. */
    STATED,
    ALWAYS
  }

  static final FamilyStructure LLAMA = gated(ModuleNames.LLAMA, Bias.STATED);
  static final FamilyStructure MISTRAL =
      gated(ModuleNames.LLAMA, Bias.NEVER).withMlpBias(Bias.NEVER);
  static final FamilyStructure QWEN2 =
      new FamilyStructure(
          ModuleNames.LLAMA,
          NormConfig.Kind.RMS,
          AttentionConfig.Layout.SEPARATE,
          AttentionConfig.Norm.NONE,
          Bias.ALWAYS,
          Bias.NEVER,
          MlpConfig.Layout.GATED,
          Bias.NEVER,
          false);
  static final FamilyStructure QWEN3 =
      gated(ModuleNames.LLAMA, Bias.STATED)
          .withAttentionNorm(AttentionConfig.Norm.PER_HEAD)
          .withMlpBias(Bias.NEVER);
  static final FamilyStructure GEMMA2 =
      gated(ModuleNames.GEMMA, Bias.STATED)
          .withNorm(NormConfig.Kind.RMS_ONE_PLUS)
          .withMlpBias(Bias.NEVER);
  static final FamilyStructure GEMMA3 = GEMMA2.withAttentionNorm(AttentionConfig.Norm.PER_HEAD);
  static final FamilyStructure OLMO2 =
      gated(ModuleNames.OLMO2, Bias.STATED)
          .withAttentionNorm(AttentionConfig.Norm.ALL_HEADS)
          .withMlpBias(Bias.NEVER);
  static final FamilyStructure PHI3 =
      new FamilyStructure(
          ModuleNames.PHI3,
          NormConfig.Kind.RMS,
          AttentionConfig.Layout.JOINED,
          AttentionConfig.Norm.NONE,
          Bias.NEVER,
          Bias.NEVER,
          MlpConfig.Layout.JOINED_GATED,
          Bias.NEVER,
          false);
  static final FamilyStructure GPT2 =
      new FamilyStructure(
          ModuleNames.GPT2,
          NormConfig.Kind.LAYER,
          AttentionConfig.Layout.JOINED,
          AttentionConfig.Norm.NONE,
          Bias.ALWAYS,
          Bias.ALWAYS,
          MlpConfig.Layout.PLAIN,
          Bias.ALWAYS,
          true);
  static final FamilyStructure GPT_NEOX =
      new FamilyStructure(
          ModuleNames.GPT_NEOX,
          NormConfig.Kind.LAYER,
          AttentionConfig.Layout.INTERLEAVED,
          AttentionConfig.Norm.NONE,
          Bias.STATED,
          Bias.STATED,
          MlpConfig.Layout.PLAIN,
          Bias.ALWAYS,
          false);

  private static FamilyStructure gated(ModuleNames names, Bias attentionBias) {
    return new FamilyStructure(
        names,
        NormConfig.Kind.RMS,
        AttentionConfig.Layout.SEPARATE,
        AttentionConfig.Norm.NONE,
        attentionBias,
        attentionBias,
        MlpConfig.Layout.GATED,
        Bias.STATED,
        false);
  }

  private FamilyStructure withNorm(NormConfig.Kind kind) {
    return new FamilyStructure(
        names, kind, attention, attentionNorm, inputBias, outputBias, mlp, mlpBias, conv1d);
  }

  private FamilyStructure withAttentionNorm(AttentionConfig.Norm other) {
    return new FamilyStructure(
        names, norm, attention, other, inputBias, outputBias, mlp, mlpBias, conv1d);
  }

  private FamilyStructure withMlpBias(Bias bias) {
    return new FamilyStructure(
        names, norm, attention, attentionNorm, inputBias, outputBias, mlp, bias, conv1d);
  }
}
