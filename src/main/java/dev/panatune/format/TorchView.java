package dev.panatune.format;

/**
 * A tensor of a {@code torch.save} archive, before it has a name: a strided view of a storage, all
 * inside of it.
 *
 * @param storage what it looks into
 * @param dtype the element type
 * @param shape the dimensions, outermost first
 * @param stride from an element to the next in each dimension, in elements, 0 or more
 * @param offset of the first element, in elements
 */
record TorchView(TorchStorage storage, TorchDtype dtype, long[] shape, long[] stride, long offset) {
  /**
   * What a tensor may have that shows elements of its storage many times (stride 0), before it is
   * taken for an attempt to exhaust memory.
   */
  private static final long LARGEST_EXPANSION = 64L << 20;

  /**
   * Returns why these values describe no tensor; null where they do.
   *
   * @return the end of a sentence that begins with the tensor
   */
  String fault() {
    if (shape.length != stride.length) {
      return "has " + shape.length + " dimensions, but " + stride.length + " strides";
    }
    long elements = 1;
    long last = offset;
    boolean empty = false;
    try {
      for (int i = 0; i < shape.length; i++) {
        if (shape[i] < 0 || stride[i] < 0) {
          return "has a negative size or stride";
        }
        empty |= shape[i] == 0;
        elements = Math.multiplyExact(elements, shape[i]);
        last = Math.addExact(last, Math.multiplyExact(Math.max(0, shape[i] - 1), stride[i]));
      }
      Math.multiplyExact(elements, dtype.byteSize());
    } catch (ArithmeticException _) {
      return "has an impossible size";
    }
    long available = storage.byteSize() / dtype.byteSize();
    if (offset < 0 || (empty ? offset > available : last >= available)) {
      return "reaches element "
          + last
          + " of its storage "
          + Printable.quoted(storage.member())
          + ", which has "
          + available;
    }
    if (elements > available && elements * dtype.byteSize() > LARGEST_EXPANSION) {
      return "shows the " + available + " elements of its storage as " + elements;
    }
    return null;
  }

  /** Returns the bytes of its elements, which may be more than the storage has. */
  long byteSize() {
    long size = dtype.byteSize();
    for (long dimension : shape) {
      size *= dimension;
    }
    return size;
  }
}
