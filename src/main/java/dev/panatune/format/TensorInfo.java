package dev.panatune.format;

import java.util.Arrays;

/**
 * Where a tensor lies in a safetensors file.
 *
 * @param name the tensor's name
 * @param dtype the element type by its safetensors name ("F32", "BF16", "U8", ...), one of {@link
 *     SafetensorsDtype}
 * @param shape the dimensions, outermost first; empty for a scalar
 * @param offset of its first byte from the start of the file; need not be aligned
 * @param byteSize the bytes of its data, row-major, little-endian
 */
public record TensorInfo(String name, String dtype, long[] shape, long offset, long byteSize) {
  @Override
  public boolean equals(Object other) {
    return other instanceof TensorInfo that
        && name.equals(that.name)
        && dtype.equals(that.dtype)
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
    return name + ": " + dtype + Arrays.toString(shape) + " at " + offset + ", " + byteSize + " B";
  }
}
