package dev.panatune.quant;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** The 4-bit number formats of bitsandbytes. */
public enum QuantType {
  /** NormalFloat: 16 quantiles of a normal distribution; for weights. */
  NF4(
      -1.0f,
      -0.6961928009986877f,
      -0.5250730514526367f,
      -0.39491748809814453f,
      -0.28444138169288635f,
      -0.18477343022823334f,
      -0.09105003625154495f,
      0.0f,
      0.07958029955625534f,
      0.16093020141124725f,
      0.24611230194568634f,
      0.33791524171829224f,
      0.44070982933044434f,
      0.5626170039176941f,
      0.7229568362236023f,
      1.0f),

  /** Floating point with a sign bit, two exponent bits and one mantissa bit. */
  FP4(
      0f,
      0.0625f / 12,
      8f / 12,
      1f,
      4f / 12,
      6f / 12,
      2f / 12,
      3f / 12,
      0f,
      -0.0625f / 12,
      -8f / 12,
      -1f,
      -4f / 12,
      -6f / 12,
      -2f / 12,
      -3f / 12);

  private final float[] table;

  QuantType(float... table) {
    this.table = table;
  }

  /** Returns the name in bitsandbytes and in {@code config.json}: {@code nf4}, {@code fp4}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Returns what each of the 16 codes stands for, as a share of its block's scale. */
  public float[] table() {
    return table.clone();
  }

  /**
   * Reads a name as {@code bnb_4bit_quant_type} has it.
   *
   * @throws ConfigurationException if there is no such type; the message lists those that exist
   */
  public static QuantType parse(String name) {
    for (QuantType type : values()) {
      if (type.id().equals(name.toLowerCase(Locale.ROOT))) {
        return type;
      }
    }
    throw new ConfigurationException(
        "Unknown 4-bit type '%s'; known are %s"
            .formatted(
                name,
                Arrays.stream(values()).map(QuantType::id).collect(Collectors.joining(", "))));
  }
}
