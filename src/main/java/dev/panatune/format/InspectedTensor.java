package dev.panatune.format;

/**
 * A tensor as {@link Inspection} lists it.
 *
 * @param name the tensor's name
 * @param dtype the element type in the words of its file: "BF16" of safetensors, "Q4_K" of GGUF
 * @param shape the dimensions, outermost first
 * @param byteSize the bytes of its data
 */
public record InspectedTensor(String name, String dtype, long[] shape, long byteSize) {
  /** Returns the number of elements. */
  public long elements() {
    long elements = 1;
    for (long dimension : shape) {
      elements *= dimension;
    }
    return elements;
  }
}
