package dev.panatune.format;

import java.util.Arrays;

/**
 * A tensor of a {@code torch.save} archive.
 *
 * @param name its keys from the outermost dictionary inwards, joined by dots
 * @param dtype the element type
 * @param shape the dimensions, outermost first; empty for a scalar
 * @param stride from an element to the next in each dimension, in elements
 * @param offset of its first element in its storage, in elements
 * @param storage the archive's member that is its storage; other tensors may look into it as well
 */
public record TorchTensorInfo(
    String name, TorchDtype dtype, long[] shape, long[] stride, long offset, String storage) {
  /** Returns the bytes of its elements. */
  public long byteSize() {
    return Arrays.stream(shape).reduce(dtype.byteSize(), (size, dimension) -> size * dimension);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TorchTensorInfo that
        && name.equals(that.name)
        && dtype == that.dtype
        && Arrays.equals(shape, that.shape)
        && Arrays.equals(stride, that.stride)
        && offset == that.offset
        && storage.equals(that.storage);
  }

  @Override
  public int hashCode() {
    return name.hashCode() * 31 + Arrays.hashCode(shape);
  }

  @Override
  public String toString() {
    return "%s: %s%s, strides %s, from element %d of %s"
        .formatted(
            name,
            dtype.torchName(),
            Arrays.toString(shape),
            Arrays.toString(stride),
            offset,
            storage);
  }
}
