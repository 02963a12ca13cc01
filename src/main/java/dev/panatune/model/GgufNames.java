package dev.panatune.model;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The Hugging Face names of a GGUF file's tensors. */
final class GgufNames {
  private static final Pattern BLOCK = Pattern.compile("blk\\.(\\d+)\\.(\\w+)\\.(weight|bias)");

  private static final Pattern LAYER =
      Pattern.compile("model\\.layers\\.(\\d+)\\.(.+)\\.(weight|bias)");

  private static final Map<String, String> OUTER =
      Map.of(
          "token_embd.weight", "model.embed_tokens.weight",
          "output_norm.weight", "model.norm.weight",
          "output.weight", "lm_head.weight");

  private static final Map<String, String> INNER = new LinkedHashMap<>();

  static {
    INNER.put("attn_norm", "input_layernorm");
    INNER.put("attn_q", "self_attn.q_proj");
    INNER.put("attn_k", "self_attn.k_proj");
    INNER.put("attn_v", "self_attn.v_proj");
    INNER.put("attn_output", "self_attn.o_proj");
    INNER.put("ffn_norm", "post_attention_layernorm");
    INNER.put("ffn_gate", "mlp.gate_proj");
    INNER.put("ffn_up", "mlp.up_proj");
    INNER.put("ffn_down", "mlp.down_proj");
  }

  private GgufNames() {}

  /** Returns the Hugging Face name of a tensor, if it is a parameter of the decoder. */
  static Optional<String> huggingFace(String name) {
    Matcher block = BLOCK.matcher(name);
    if (block.matches()) {
      return Optional.ofNullable(INNER.get(block.group(2)))
          .map(inner -> "model.layers.%s.%s.%s".formatted(block.group(1), inner, block.group(3)));
    }
    return Optional.ofNullable(OUTER.get(name));
  }

  /** Returns the GGUF name of a parameter of the decoder, if it has one. */
  static Optional<String> gguf(String name) {
    Matcher layer = LAYER.matcher(name);
    if (layer.matches()) {
      return keyOf(INNER, layer.group(2))
          .map(inner -> "blk.%s.%s.%s".formatted(layer.group(1), inner, layer.group(3)));
    }
    return keyOf(OUTER, name);
  }

  private static Optional<String> keyOf(Map<String, String> names, String value) {
    return names.entrySet().stream()
        .filter(entry -> entry.getValue().equals(value))
        .map(Map.Entry::getKey)
        .findFirst();
  }
}
