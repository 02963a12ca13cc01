package dev.panatune.quant;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;

/**
 * Decodes 4-bit tensors: through bitsandbytes where it can, else with our kernel. Both give equal
 * numbers.
 */
final class Dequantizer {
  private static final Op DEQUANTIZE = Op.find("panatune::dequantize_4bit", "");

  private Dequantizer() {}

  /**
   * Decodes a tensor.
   *
   * @param scales float32, one for every block
   * @return a tensor of the shape and type, in the innermost scope
   */
  static Tensor dequantize(
      QuantType type,
      Tensor packed,
      Tensor scales,
      Tensor code,
      int blockSize,
      long[] shape,
      DType dtype) {
    return Bitsandbytes.instance()
        .dequantize(type, packed, scales, blockSize, shape, dtype)
        .orElseGet(() -> withKernel(type, packed, scales, code, blockSize, shape, dtype));
  }

  static Tensor withKernel(
      QuantType type,
      Tensor packed,
      Tensor scales,
      Tensor code,
      int blockSize,
      long[] shape,
      DType dtype) {
    return DEQUANTIZE.call(packed, scales, code, blockSize, type.id(), shape, dtype);
  }
}
