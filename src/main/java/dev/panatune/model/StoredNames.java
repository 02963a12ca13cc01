package dev.panatune.model;

import java.util.regex.Pattern;

/**
 * The names that a family's checkpoints have for what its modules call otherwise, and what older
 * versions saved beside the parameters.
 */
final class StoredNames {
  private static final Pattern BUFFERS =
      Pattern.compile(".*\\.(rotary_emb\\.inv_freq|(attn|attention)\\.(masked_)?bias)");
  private static final String HEAD = "lm_head.";
  private static final String GPT_NEOX_HEAD = "embed_out.";

  private final ModelFamily family;

  StoredNames(ModelFamily family) {
    this.family = family;
  }

  /** Returns the name under which transformers stores a tensor. */
  String stored(String name) {
    return family == ModelFamily.GPT_NEOX && name.startsWith(HEAD)
        ? GPT_NEOX_HEAD + name.substring(HEAD.length())
        : name;
  }

  /**
   * Returns the name in the model of a stored tensor. Checkpoints of a decoder without its head
   * have names without the decoder's; OpenAI's of GPT-2 are such.
   */
  String inModel(String name) {
    if (family == ModelFamily.GPT_NEOX && name.startsWith(GPT_NEOX_HEAD)) {
      return HEAD + name.substring(GPT_NEOX_HEAD.length());
    }
    ModuleNames names = family.names();
    boolean bare =
        name.startsWith(names.embedding() + ".")
            || name.startsWith(names.layers() + ".")
            || name.startsWith(names.norm() + ".")
            || names.positions().stream().anyMatch(table -> name.startsWith(table + "."));
    return bare ? names.decoder() + "." + name : name;
  }

  /** Returns whether a tensor is one that no model needs any more. */
  static boolean isBuffer(String name) {
    return BUFFERS.matcher(name).matches();
  }
}
