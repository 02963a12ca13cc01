package dev.panatune.model;

import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import java.util.Map;

/** Stored weights under their Hugging Face names, read one at a time. */
interface Checkpoint extends AutoCloseable {
  /** Returns the parameters' names and shapes, in the order of the file; unpacked shapes. */
  Map<String, long[]> shapes();

  /** Returns the floating-point type that the weights are kept in unless another is asked for. */
  DType storedDtype();

  /** Returns whether a parameter is stored as a 4-bit weight. */
  boolean isQuantized(String name);

  /**
   * Returns a parameter that is stored as a 4-bit weight. The caller closes it.
   *
   * @param computeDtype what products with it are computed in
   * @param device where it goes; on the CPU it shares the file's pages
   */
  QuantizedTensor readQuantized(String name, DType computeDtype, Device device);

  /**
   * Returns a parameter in a dtype, in the innermost scope. It shares the file's pages where the
   * stored bytes are already what is asked for.
   */
  Tensor read(String name, DType dtype);

  /** Gives back the file's pages that a parameter was read from; it can be read again. */
  void release(String name);

  /** Returns what to call it in errors. */
  String description();

  /** Closes the files. Tensors that share their pages stay valid. */
  @Override
  void close();
}
