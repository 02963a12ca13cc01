package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Map;
import java.util.Optional;

/**
 * PEFT's {@code PromptTuningConfig}, under its names.
 *
 * <p>Prompt tuning: Lester et al., 2021, arXiv:2104.08691. Learnt embeddings stand in front of
 * every text's own.
 *
 * @param numVirtualTokens how many, at least one
 * @param promptTuningInit where they start
 * @param promptTuningInitText the text whose embeddings they start as; with {@code TEXT} alone
 * @param tokenizerNameOrPath the directory of the tokenizer that reads it; empty for the model's
 *     own
 * @param taskType a classifier's head is trained and saved with them
 */
public record PromptTuningConfig(
    int numVirtualTokens,
    PromptTuningInit promptTuningInit,
    Optional<String> promptTuningInitText,
    Optional<String> tokenizerNameOrPath,
    TaskType taskType)
    implements PeftConfig {

  /**
   * @throws ConfigurationException if there is no virtual token, or no text to start as
   */
  public PromptTuningConfig {
    VirtualTokenOptions.checkCount(numVirtualTokens);
    if (promptTuningInit == PromptTuningInit.TEXT && promptTuningInitText.isEmpty()) {
      throw new ConfigurationException(
          "prompt_tuning_init is TEXT, but prompt_tuning_init_text is missing");
    }
  }

  /** Virtual tokens of a language model. */
  public PromptTuningConfig(
      int numVirtualTokens,
      PromptTuningInit promptTuningInit,
      Optional<String> promptTuningInitText,
      Optional<String> tokenizerNameOrPath) {
    this(
        numVirtualTokens,
        promptTuningInit,
        promptTuningInitText,
        tokenizerNameOrPath,
        TaskType.CAUSAL_LM);
  }

  /** Random virtual tokens. */
  public static PromptTuningConfig of(int numVirtualTokens) {
    return new PromptTuningConfig(
        numVirtualTokens, PromptTuningInit.RANDOM, Optional.empty(), Optional.empty());
  }

  /** Virtual tokens that start as a text's, read by the model's tokenizer. */
  public static PromptTuningConfig ofText(int numVirtualTokens, String text) {
    return new PromptTuningConfig(
        numVirtualTokens, PromptTuningInit.TEXT, Optional.of(text), Optional.empty());
  }

  /** Reads options under PEFT's names; see {@link PeftConfig#fromMap}. */
  public static PromptTuningConfig fromMap(Map<String, ?> options) {
    VirtualTokenOptions read = new VirtualTokenOptions("prompt tuning", options);
    read.refuseUnknown(VirtualTokenOptions.PROMPT);
    return read.prompt();
  }

  /** Reads {@code adapter_config.json}'s content; keys that nobody knows are passed over. */
  static PromptTuningConfig fromAdapterConfig(Map<String, ?> json) {
    return new VirtualTokenOptions("prompt tuning", json).prompt();
  }

  @Override
  public PeftType peftType() {
    return PeftType.PROMPT_TUNING;
  }

  @Override
  public String summary() {
    return "a soft prompt of %d virtual tokens".formatted(numVirtualTokens);
  }

  @Override
  public Map<String, Object> toMap() {
    return VirtualTokenOptions.write(this);
  }
}
