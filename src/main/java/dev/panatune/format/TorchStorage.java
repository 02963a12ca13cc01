package dev.panatune.format;

/**
 * A storage of a {@code torch.save} archive: the memory that tensors look into, several perhaps.
 *
 * @param member the name of the archive's member that holds it
 * @param dtype the type of its elements; of an untyped storage {@link TorchDtype#UINT8}
 * @param typed whether its elements have a type; where not, each of its tensors says its own
 * @param elements how many it has
 */
record TorchStorage(String member, TorchDtype dtype, boolean typed, long elements) {
  long byteSize() {
    return elements * dtype.byteSize();
  }
}
