package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;

/** Which biases of the base model are trained along with the adapter. */
public enum LoraBias {
  NONE("none"),
  ALL("all"),
  LORA_ONLY("lora_only");

  private final String peftName;

  LoraBias(String peftName) {
    this.peftName = peftName;
  }

  /** The value in {@code adapter_config.json}. */
  public String peftName() {
    return peftName;
  }

  static LoraBias parse(String name) {
    for (LoraBias bias : values()) {
      if (bias.peftName.equals(name)) {
        return bias;
      }
    }
    throw new ConfigurationException("bias: '" + name + "' is none of none, all, lora_only");
  }
}
