package dev.panatune.format;

import java.util.List;

/**
 * What a pickle can hold here beside {@code null}, {@code Boolean}, {@code Long}, {@code
 * BigInteger}, {@code Double}, {@code String}, {@code List} (Python's list and set), {@code Map},
 * and {@link TorchStorage} and {@link TorchView}. Nothing of it is code.
 */
sealed interface PickleValue {
  /** A tuple. */
  record Tuple(List<Object> items) implements PickleValue {}

  /** Bytes, or a string of Python 2. */
  record Bytes(byte[] content) implements PickleValue {}

  /** A value that is only ever shown: a device, a layout, a complex number. */
  record Described(String text) implements PickleValue {}

  /** An element type, such as {@code torch.float32}. */
  record Dtype(TorchDtype type) implements PickleValue {}

  /**
   * A class of storages.
   *
   * @param elements the type of its elements; {@link TorchDtype#UINT8} where untyped
   * @param typed whether they have a type
   */
  record StorageClass(TorchDtype elements, boolean typed) implements PickleValue {}

  /** A function or class that may be called. */
  record Callable(PickleFunction function) implements PickleValue {}
}
