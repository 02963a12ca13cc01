package dev.panatune.model;

import java.util.Optional;

/**
 * What a family calls the parts of its decoder in the Hugging Face model, and which norms it has.
 *
 * @param decoder everything below the head
 * @param embedding the table of tokens
 * @param positions the table of positions, where there is one
 * @param layers the list of layers
 * @param norm the norm above the last layer
 * @param attention a layer's attention
 * @param projection the layer that joins queries, keys and values, where there is one
 * @param output the attention's last layer
 * @param attentionNorm the norm of the attention's input, where there is one
 * @param attentionOutputNorm the norm of the attention's result, where there is one
 * @param mlpNorm the norm of the MLP's input, where there is one
 * @param mlpOutputNorm the norm of the MLP's result, where there is one
 * @param up an ungated MLP's first layer
 * @param down an ungated MLP's second layer
 */
record ModuleNames(
    String decoder,
    String embedding,
    Optional<String> positions,
    String layers,
    String norm,
    String attention,
    Optional<String> projection,
    String output,
    Optional<String> attentionNorm,
    Optional<String> attentionOutputNorm,
    Optional<String> mlpNorm,
    Optional<String> mlpOutputNorm,
    String up,
    String down) {
  private static final String INPUT_NORM = "input_layernorm";
  private static final String POST_ATTENTION_NORM = "post_attention_layernorm";

  /** Norms before attention and MLP; separate projections. */
  static final ModuleNames LLAMA =
      modern(
          Optional.empty(),
          Optional.of(INPUT_NORM),
          Optional.empty(),
          Optional.of(POST_ATTENTION_NORM),
          Optional.empty());

  /** As {@link #LLAMA} with one projection for queries, keys and values. */
  static final ModuleNames PHI3 =
      modern(
          Optional.of("qkv_proj"),
          Optional.of(INPUT_NORM),
          Optional.empty(),
          Optional.of(POST_ATTENTION_NORM),
          Optional.empty());

  /** Norms before and after attention and MLP. */
  static final ModuleNames GEMMA =
      modern(
          Optional.empty(),
          Optional.of(INPUT_NORM),
          Optional.of(POST_ATTENTION_NORM),
          Optional.of("pre_feedforward_layernorm"),
          Optional.of("post_feedforward_layernorm"));

  /** Norms after attention and MLP. */
  static final ModuleNames OLMO2 =
      modern(
          Optional.empty(),
          Optional.empty(),
          Optional.of(POST_ATTENTION_NORM),
          Optional.empty(),
          Optional.of("post_feedforward_layernorm"));

  static final ModuleNames GPT2 =
      new ModuleNames(
          "transformer",
          "wte",
          Optional.of("wpe"),
          "h",
          "ln_f",
          "attn",
          Optional.of("c_attn"),
          "c_proj",
          Optional.of("ln_1"),
          Optional.empty(),
          Optional.of("ln_2"),
          Optional.empty(),
          "c_fc",
          "c_proj");

  static final ModuleNames GPT_NEOX =
      new ModuleNames(
          "gpt_neox",
          "embed_in",
          Optional.empty(),
          "layers",
          "final_layer_norm",
          "attention",
          Optional.of("query_key_value"),
          "dense",
          Optional.of(INPUT_NORM),
          Optional.empty(),
          Optional.of(POST_ATTENTION_NORM),
          Optional.empty(),
          "dense_h_to_4h",
          "dense_4h_to_h");

  private static ModuleNames modern(
      Optional<String> projection,
      Optional<String> attentionNorm,
      Optional<String> attentionOutputNorm,
      Optional<String> mlpNorm,
      Optional<String> mlpOutputNorm) {
    return new ModuleNames(
        "model",
        "embed_tokens",
        Optional.empty(),
        "layers",
        "norm",
        "self_attn",
        projection,
        "o_proj",
        attentionNorm,
        attentionOutputNorm,
        mlpNorm,
        mlpOutputNorm,
        "up_proj",
        "down_proj");
  }

  /** Returns the path of the table of tokens. */
  String embeddingPath() {
    return decoder + "." + embedding;
  }
}
