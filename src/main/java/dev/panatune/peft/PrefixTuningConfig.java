package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Map;
import java.util.OptionalInt;

/**
 * PEFT's {@code PrefixTuningConfig}, under its names.
 *
 * <p>Prefix tuning: Li and Liang, 2021, arXiv:2101.00190. Learnt keys and values stand in front of
 * every text's own, in every layer.
 *
 * @param numVirtualTokens the positions that they take, at least one
 * @param prefixProjection whether an MLP of two layers makes them of learnt embeddings while they
 *     are trained
 * @param encoderHiddenSize the width of that MLP; empty for that of a layer's keys
 * @param zeroInit whether they start at zero ({@code init_weights: zero}), and not at random
 * @param taskType a classifier's head is trained and saved with them
 */
public record PrefixTuningConfig(
    int numVirtualTokens,
    boolean prefixProjection,
    OptionalInt encoderHiddenSize,
    boolean zeroInit,
    TaskType taskType)
    implements PeftConfig {

  /**
   * @throws ConfigurationException if a number is not positive
   */
  public PrefixTuningConfig {
    VirtualTokenOptions.checkCount(numVirtualTokens);
    if (encoderHiddenSize.isPresent() && encoderHiddenSize.getAsInt() < 1) {
      throw new ConfigurationException(
          "encoder_hidden_size must be at least 1, not " + encoderHiddenSize.getAsInt());
    }
  }

  /** A prefix of a language model. */
  public PrefixTuningConfig(
      int numVirtualTokens,
      boolean prefixProjection,
      OptionalInt encoderHiddenSize,
      boolean zeroInit) {
    this(numVirtualTokens, prefixProjection, encoderHiddenSize, zeroInit, TaskType.CAUSAL_LM);
  }

  /** A random prefix, without projection. */
  public static PrefixTuningConfig of(int numVirtualTokens) {
    return new PrefixTuningConfig(numVirtualTokens, false, OptionalInt.empty(), false);
  }

  /** Reads options under PEFT's names; see {@link PeftConfig#fromMap}. */
  public static PrefixTuningConfig fromMap(Map<String, ?> options) {
    VirtualTokenOptions read = new VirtualTokenOptions("prefix tuning", options);
    read.refuseUnknown(VirtualTokenOptions.PREFIX);
    return read.prefix();
  }

  /** Reads {@code adapter_config.json}'s content; keys that nobody knows are passed over. */
  static PrefixTuningConfig fromAdapterConfig(Map<String, ?> json) {
    return new VirtualTokenOptions("prefix tuning", json).prefix();
  }

  @Override
  public PeftType peftType() {
    return PeftType.PREFIX_TUNING;
  }

  @Override
  public String summary() {
    return "a prefix of %d virtual tokens%s"
        .formatted(numVirtualTokens, prefixProjection ? ", projected" : "");
  }

  @Override
  public Map<String, Object> toMap() {
    return VirtualTokenOptions.write(this);
  }
}
