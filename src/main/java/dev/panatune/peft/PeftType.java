package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.stream.Collectors;

/** The methods, by the names that {@code peft_type} uses. */
public enum PeftType {
  /** {@link LoraConfig}. */
  LORA("LoRA adapter"),
  /** {@link Ia3Config}. */
  IA3("IA3 adapter"),
  /** {@link PromptTuningConfig}. */
  PROMPT_TUNING("Soft prompt"),
  /** {@link PrefixTuningConfig}. */
  PREFIX_TUNING("Prefix"),
  /** {@link BottleneckConfig}; of `adapters`, and none of PEFT's. */
  BOTTLENECK("Adapter layers");

  private final String label;

  PeftType(String label) {
    this.label = label;
  }

  /** What it makes, for a person: {@code LoRA adapter}. */
  public String label() {
    return label;
  }

  /**
   * Returns the method of a {@code peft_type}.
   *
   * @throws ConfigurationException if it is not known; the message lists the known
   */
  public static PeftType parse(Object name) {
    for (PeftType type : values()) {
      if (type.name().equals(name)) {
        return type;
      }
    }
    throw new ConfigurationException(
        "peft_type: %s is not supported; supported are %s"
            .formatted(
                name, Arrays.stream(values()).map(Enum::name).collect(Collectors.joining(", "))));
  }
}
