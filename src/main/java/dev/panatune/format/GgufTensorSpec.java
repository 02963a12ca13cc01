package dev.panatune.format;

/**
 * A tensor that is going to be written to a GGUF file.
 *
 * @param name the tensor's name in GGUF
 * @param type the element type
 * @param shape the dimensions as torch orders them, outermost first; the innermost is a multiple of
 *     the type's block
 */
public record GgufTensorSpec(String name, GgmlType type, long... shape) {
  /** Returns the bytes of its data. */
  public long byteSize() {
    long elements = 1;
    for (long dimension : shape) {
      elements = Math.multiplyExact(elements, dimension);
    }
    return elements / type.blockElements() * type.blockBytes();
  }
}
