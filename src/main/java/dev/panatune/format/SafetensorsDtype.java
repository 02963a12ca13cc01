package dev.panatune.format;

import java.util.Arrays;
import java.util.Optional;

/** The element types of safetensors, by their names in the file, in order of alignment. */
public enum SafetensorsDtype {
  BOOL(8),
  F4(4),
  F6_E2M3(6),
  F6_E3M2(6),
  U8(8),
  I8(8),
  F8_E5M2(8),
  F8_E4M3(8),
  F8_E8M0(8),
  F8_E4M3FNUZ(8),
  F8_E5M2FNUZ(8),
  I16(16),
  U16(16),
  F16(16),
  BF16(16),
  I32(32),
  U32(32),
  F32(32),
  C64(64),
  F64(64),
  I64(64),
  U64(64);

  private final int bits;

  SafetensorsDtype(int bits) {
    this.bits = bits;
  }

  /** Returns the bits of one element; a few types have less than a byte. */
  public int bits() {
    return bits;
  }

  /** Finds a type by its name in the file. */
  public static Optional<SafetensorsDtype> find(String name) {
    return Arrays.stream(values()).filter(dtype -> dtype.name().equals(name)).findFirst();
  }

  /**
   * Returns the bytes of a tensor of this type.
   *
   * @throws ArithmeticException if the number overflows 63 bits or is no whole number of bytes; its
   *     message says which
   */
  long byteSize(long[] shape) {
    long elements = 1;
    for (long dimension : shape) {
      elements = Math.multiplyExact(elements, dimension);
    }
    if (bits % 8 == 0) {
      return Math.multiplyExact(elements, bits / 8);
    }
    long total = Math.multiplyExact(elements, bits);
    if (total % 8 != 0) {
      throw new ArithmeticException("not a whole number of bytes");
    }
    return total / 8;
  }
}
