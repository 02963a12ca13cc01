package dev.panatune.model;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The names that a family's parameters have in a GGUF file, and in the Hugging Face model. */
final class GgufNames {
  private static final Pattern BLOCK = Pattern.compile("blk\\.(\\d+)\\.(\\w+)\\.(weight|bias)");
  private static final String BLOCK_NAME = "blk.%s.%s.%s";

  private final Pattern layer;
  private final String layerName;
  private final Map<String, String> outer = new LinkedHashMap<>();
  private final Map<String, String> inner = new LinkedHashMap<>();

  GgufNames(ModelFamily family) {
    ModuleNames names = family.names();
    String layers = names.decoder() + "." + names.layers();
    layer = Pattern.compile(Pattern.quote(layers) + "\\.(\\d+)\\.(.+)\\.(weight|bias)");
    layerName = layers + ".%s.%s.%s";
    outer.put("token_embd", names.embeddingPath());
    names.positions().ifPresent(name -> outer.put("position_embd", names.decoder() + "." + name));
    outer.put("output_norm", names.decoder() + "." + names.norm());
    outer.put("output", "lm_head");
    addAttention(family.structure());
    addMlp(family.structure());
  }

  private void addAttention(FamilyStructure structure) {
    ModuleNames names = structure.names();
    String self = names.attention() + ".";
    names.attentionNorm().ifPresent(name -> inner.put("attn_norm", name));
    names
        .projection()
        .ifPresentOrElse(
            name -> inner.put("attn_qkv", self + name),
            () -> {
              inner.put("attn_q", self + "q_proj");
              inner.put("attn_k", self + "k_proj");
              inner.put("attn_v", self + "v_proj");
            });
    inner.put("attn_output", self + names.output());
    if (structure.attentionNorm() != AttentionConfig.Norm.NONE) {
      inner.put("attn_q_norm", self + "q_norm");
      inner.put("attn_k_norm", self + "k_norm");
    }
    names.attentionOutputNorm().ifPresent(name -> inner.put("post_attention_norm", name));
  }

  private void addMlp(FamilyStructure structure) {
    ModuleNames names = structure.names();
    names.mlpNorm().ifPresent(name -> inner.put("ffn_norm", name));
    boolean joined = structure.mlp() == MlpConfig.Layout.JOINED_GATED;
    if (structure.mlp() == MlpConfig.Layout.GATED) {
      inner.put("ffn_gate", "mlp.gate_proj");
    }
    inner.put("ffn_up", "mlp." + (joined ? "gate_up_proj" : names.up()));
    inner.put("ffn_down", "mlp." + names.down());
    names.mlpOutputNorm().ifPresent(name -> inner.put("post_ffw_norm", name));
  }

  /** Returns the Hugging Face name of a tensor, if it is a parameter of the decoder. */
  Optional<String> huggingFace(String name) {
    Matcher block = BLOCK.matcher(name);
    if (block.matches()) {
      return Optional.ofNullable(inner.get(block.group(2)))
          .map(module -> layerName.formatted(block.group(1), module, block.group(3)));
    }
    return Optional.ofNullable(outer.get(moduleOf(name))).map(module -> module + kindOf(name));
  }

  /** Returns the GGUF name of a parameter of the decoder, if it has one. */
  Optional<String> gguf(String name) {
    Matcher block = layer.matcher(name);
    if (block.matches()) {
      return keyOf(inner, block.group(2))
          .map(module -> BLOCK_NAME.formatted(block.group(1), module, block.group(3)));
    }
    return keyOf(outer, moduleOf(name)).map(module -> module + kindOf(name));
  }

  private static String moduleOf(String name) {
    return name.substring(0, Math.max(0, name.lastIndexOf('.')));
  }

  private static String kindOf(String name) {
    return name.substring(Math.max(0, name.lastIndexOf('.')));
  }

  private static Optional<String> keyOf(Map<String, String> names, String value) {
    return names.entrySet().stream()
        .filter(entry -> entry.getValue().equals(value))
        .map(Map.Entry::getKey)
        .findFirst();
  }
}
