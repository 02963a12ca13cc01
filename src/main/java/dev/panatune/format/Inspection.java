package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What a file or directory of weights holds, found out without trusting it, without libtorch, and
 * within a heap of 256 MB whatever the file says of itself.
 *
 * @param kind what it is
 * @param path as it was given
 * @param files the files that hold the tensors
 * @param tensors in the order of the files
 * @param metadata of a safetensors file its strings, of a GGUF file its keys (as {@link
 *     GgufFile#metadata} has them), of a torch.save archive what it holds beside tensors, of a
 *     directory its configuration under "config" or "adapter_config" and what its files say under
 *     "safetensors" or "torch"
 */
public record Inspection(
    Kind kind,
    Path path,
    List<Path> files,
    List<InspectedTensor> tensors,
    Map<String, Object> metadata) {

  /** What can be told apart. */
  public enum Kind {
    /** One safetensors file, or an index with its shards. */
    SAFETENSORS("safetensors"),
    /** One archive of {@code torch.save}, or an index with its shards. */
    TORCH("torch"),
    /** One GGUF file. */
    GGUF("gguf"),
    /** A Hugging Face model's directory. */
    MODEL("model"),
    /** A PEFT adapter's directory. */
    ADAPTER("adapter");

    private final String label;

    Kind(String label) {
      this.label = label;
    }

    /** Returns the word for it in JSON. */
    public String label() {
      return label;
    }
  }

  /**
   * Inspects {@code path}.
   *
   * @throws FormatException if nothing is there, it is of no known kind, or it is refused; the
   *     message names the tensor or field
   */
  public static Inspection of(Path path) {
    return Inspector.inspect(path);
  }

  /** Returns the number of elements of all tensors together. */
  public long elements() {
    return tensors.stream().mapToLong(InspectedTensor::elements).sum();
  }

  /** Returns the bytes of all tensors together. */
  public long byteSize() {
    return tensors.stream().mapToLong(InspectedTensor::byteSize).sum();
  }
}
