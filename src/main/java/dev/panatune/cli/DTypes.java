package dev.panatune.cli;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.DType;

/** The names of the types that weights and computation may have. */
final class DTypes {
  private DTypes() {}

  /**
   * The type of a name, short or as in PyTorch.
   *
   * @throws ConfigurationException if it is none of the three
   */
  static DType parse(String name) {
    return switch (name) {
      case "fp32", "float32" -> DType.FLOAT32;
      case "bf16", "bfloat16" -> DType.BFLOAT16;
      case "fp16", "float16" -> DType.FLOAT16;
      default -> throw new ConfigurationException("--dtype " + name + ": it is fp32, bf16 or fp16");
    };
  }
}
