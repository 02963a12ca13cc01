package dev.panatune.format;

import dev.panatune.error.FormatException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/** Puts weights into the form in which GGUF stores them, bit for bit as the gguf package does. */
public final class GgufEncoding {
  private static final Op AMAX = Op.find("aten::amax", "");
  private static final Op WHERE = Op.find("aten::where", "self");
  private static final Op VIEW_AS = Op.find("aten::view", "dtype");
  private static final Op FLOOR = Op.find("aten::floor", "");
  private static final Op SIGN = Op.find("aten::sign", "");
  private static final Op ABS = Op.find("aten::abs", "");
  private static final Op CAT = Op.find("aten::cat", "");
  private static final Op RECIPROCAL = Op.find("aten::reciprocal", "");
  private static final Op EQUALS = Op.find("aten::eq", "Scalar");

  private GgufEncoding() {}

  /**
   * Encodes a tensor.
   *
   * @param weight of any floating-point type and layout; the innermost dimension is a multiple of
   *     the type's block
   * @param type F32, F16, BF16 or Q8_0
   * @return its bytes as a contiguous tensor on the CPU, in the innermost scope
   * @throws FormatException if the type is another
   */
  public static Tensor encode(Tensor weight, GgmlType type) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor plain = weight.detach().to(Device.CPU);
      Tensor encoded =
          switch (type) {
            case F32 -> plain.to(DType.FLOAT32).contiguous();
            case F16 -> plain.to(DType.FLOAT16).contiguous();
            case BF16 -> plain.to(DType.BFLOAT16).contiguous();
            case Q8_0 -> q80(plain.to(DType.FLOAT32).contiguous());
            default ->
                throw new FormatException(
                    type + " is not written; written are F32, F16, BF16 and Q8_0");
          };
      return scope.moveToOuter(encoded);
    }
  }

  /** A block of 32 is its scale, the largest magnitude over 127 in fp16, and 32 signed bytes. */
  private static Tensor q80(Tensor weight) {
    Tensor blocks = weight.reshape(-1, GgmlType.Q8_0.blockElements());
    Tensor scale = AMAX.call(ABS.call(blocks), new long[] {1}, true).div(127);
    Tensor zero = EQUALS.call(scale, 0);
    Tensor inverse = WHERE.call(zero, Tensor.zeros(DType.FLOAT32, 1), RECIPROCAL.call(scale));
    Tensor codes = rounded(blocks.mul(inverse)).to(DType.INT8);
    Tensor bytes = VIEW_AS.call(scale.to(DType.FLOAT16).contiguous(), DType.UINT8);
    Tensor[] parts = {bytes, VIEW_AS.call(codes.contiguous(), DType.UINT8)};
    return CAT.call(parts, 1).contiguous();
  }

  /** To the nearest whole number, halves away from zero. */
  private static Tensor rounded(Tensor values) {
    Tensor magnitude = ABS.call(values);
    Tensor floor = FLOOR.call(magnitude);
    Tensor half = FLOOR.call(magnitude.sub(floor).mul(2));
    return floor.add(half).mul(SIGN.call(values));
  }
}
