package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The element types of GGUF: how many elements a block has and how many bytes it takes. All that
 * the format defines can be listed; what {@code panatune::dequantize_gguf} reads is {@link
 * #isDequantizable()}.
 */
public enum GgmlType {
  F32(0, 1, 4, true),
  F16(1, 1, 2, true),
  Q4_0(2, 32, 18, true),
  Q4_1(3, 32, 20, true),
  Q5_0(6, 32, 22, true),
  Q5_1(7, 32, 24, true),
  Q8_0(8, 32, 34, true),
  Q8_1(9, 32, 40, false),
  Q2_K(10, 256, 84, true),
  Q3_K(11, 256, 110, true),
  Q4_K(12, 256, 144, true),
  Q5_K(13, 256, 176, true),
  Q6_K(14, 256, 210, true),
  Q8_K(15, 256, 292, false),
  IQ2_XXS(16, 256, 66, false),
  IQ2_XS(17, 256, 74, false),
  IQ3_XXS(18, 256, 98, false),
  IQ1_S(19, 256, 50, false),
  IQ4_NL(20, 32, 18, true),
  IQ3_S(21, 256, 110, false),
  IQ2_S(22, 256, 82, false),
  IQ4_XS(23, 256, 136, true),
  I8(24, 1, 1, false),
  I16(25, 1, 2, false),
  I32(26, 1, 4, false),
  I64(27, 1, 8, false),
  F64(28, 1, 8, false),
  IQ1_M(29, 256, 56, false),
  BF16(30, 1, 2, true),
  TQ1_0(34, 256, 54, false),
  TQ2_0(35, 256, 66, false),
  MXFP4(39, 32, 17, false),
  NVFP4(40, 64, 36, false),
  Q1_0(41, 128, 18, false);

  private final int id;
  private final int blockElements;
  private final int blockBytes;
  private final boolean dequantizable;

  GgmlType(int id, int blockElements, int blockBytes, boolean dequantizable) {
    this.id = id;
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
    this.dequantizable = dequantizable;
  }

  /** Returns the number that stands for the type in files and for the kernel. */
  public int id() {
    return id;
  }

  /** Returns how many elements a block has; a tensor's innermost dimension is a multiple of it. */
  public int blockElements() {
    return blockElements;
  }

  /** Returns how many bytes a block takes. */
  public int blockBytes() {
    return blockBytes;
  }

  /** Whether the weights can be turned into floating point numbers here. */
  public boolean isDequantizable() {
    return dequantizable;
  }

  /** Whether several elements share a scale, so that the type is not a plain number's. */
  public boolean isQuantized() {
    return blockElements > 1;
  }

  /**
   * Does nothing if the type can be dequantised.
   *
   * @param tensor the tensor that has it, for the message
   * @throws FormatException otherwise; it names the tensor, the type, and those that can be
   */
  public void requireDequantizable(String tensor) {
    if (!dequantizable) {
      throw new FormatException(
          "the tensor "
              + Printable.quoted(tensor)
              + " is stored as "
              + name()
              + ", which is not supported; supported are "
              + Arrays.stream(values())
                  .filter(GgmlType::isDequantizable)
                  .map(Enum::name)
                  .collect(Collectors.joining(", "))
              + ": take another file of this model, or convert it");
    }
  }

  /** Finds a type by its number in the file. */
  public static Optional<GgmlType> find(int id) {
    return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
  }
}
