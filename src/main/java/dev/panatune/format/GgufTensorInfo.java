package dev.panatune.format;

import java.util.Arrays;

/**
 * Where a tensor lies in a GGUF file.
 *
 * @param name the tensor's name, GGUF's ("blk.0.attn_q.weight")
 * @param type the element type
 * @param shape the dimensions as torch orders them, outermost first (the file has them reversed)
 * @param offset of its first byte from the start of the file
 * @param byteSize the bytes of its data
 */
public record GgufTensorInfo(String name, GgmlType type, long[] shape, long offset, long byteSize) {
  @Override
  public boolean equals(Object other) {
    return other instanceof GgufTensorInfo that
        && name.equals(that.name)
        && type == that.type
        && Arrays.equals(shape, that.shape)
        && offset == that.offset
        && byteSize == that.byteSize;
  }

  @Override
  public int hashCode() {
    return name.hashCode() * 31 + Arrays.hashCode(shape);
  }

  @Override
  public String toString() {
    return name + ": " + type + Arrays.toString(shape) + " at " + offset + ", " + byteSize + " B";
  }
}
