package dev.panatune.quant;

import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;

/** The code tables as tensors, in the innermost scope. */
final class Codebooks {
  private static final Op DYNAMIC_MAP = Op.find("panatune::dynamic_map", "");

  private Codebooks() {}

  /** The 16 values of a 4-bit type. */
  static Tensor of(QuantType type) {
    float[] table = type.table();
    return Tensor.ofFloats(table, table.length);
  }

  /** The 256 values that nested scales are quantised to: bitsandbytes' signed dynamic map. */
  static Tensor dynamicMap() {
    return DYNAMIC_MAP.call();
  }
}
