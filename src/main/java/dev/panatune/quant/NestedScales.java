package dev.panatune.quant;

import dev.panatune.tensor.Tensor;

/**
 * What turns 8-bit scales back into numbers: {@code code[q] * absmax[i / 256] + offset}.
 *
 * @param code float32 [256]
 * @param absmax float32, one for every 256 scales
 * @param offset float32, without dimensions: the mean that was taken off
 */
record NestedScales(Tensor code, Tensor absmax, Tensor offset) {
  /** Scales that share a scale of their own; bitsandbytes knows no other number. */
  static final int BLOCK_SIZE = 256;

  /** Values of the table. */
  static final int CODES = 256;

  NestedScales keep() {
    return new NestedScales(code.keep(), absmax.keep(), offset.keep());
  }

  void close() {
    code.close();
    absmax.close();
    offset.close();
  }
}
