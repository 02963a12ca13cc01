package dev.panatune.format;

import dev.panatune.error.FormatException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Named tensors in the files of a model or an adapter, whatever the format, between the files and
 * libtorch. The files stay mapped while it is open.
 */
public sealed interface WeightStore extends AutoCloseable permits SafetensorsStore, TorchStore {
  /** Returns the names, in the order of the files. */
  Set<String> names();

  /** Returns a tensor's shape. */
  long[] shape(String name);

  /** Returns a tensor's dtype; empty where nothing can be computed with it here. */
  Optional<DType> dtype(String name);

  /**
   * Returns a tensor in the innermost scope. It shares the file's pages where they hold it as it
   * is: always, unless it is misaligned or compressed.
   *
   * @throws FormatException if there is none of that name, or it is of a type that cannot be
   *     computed with
   */
  Tensor tensor(String name);

  /** Gives back the file's pages that a tensor was read from; it can be read again. */
  void release(String name);

  /** Closes the files. Tensors that share their pages stay valid. */
  @Override
  void close();

  /** Returns all tensors by name, in the innermost scope. */
  default Map<String, Tensor> tensors() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    names().forEach(name -> tensors.put(name, tensor(name)));
    return tensors;
  }

  /**
   * Opens a file that {@link #find} returned.
   *
   * @throws FormatException if it is refused
   */
  static WeightStore open(Path weights) {
    return isTorch(weights)
        ? TorchStore.open(TorchIndex.open(weights))
        : SafetensorsStore.open(SafetensorsIndex.open(weights));
  }

  /**
   * Returns the weights in a directory, as transformers and PEFT choose among several: safetensors,
   * or else an archive of {@code torch.save}; one file, or else the index of shards.
   *
   * @param safetensors the name without extension of the one kind, such as "model"
   * @param torch that of the other, such as "pytorch_model"
   * @throws FormatException if there is none
   */
  static Path find(Path directory, String safetensors, String torch) {
    String[] candidates = {
      safetensors + ".safetensors",
      safetensors + ".safetensors.index.json",
      torch + ".bin",
      torch + ".bin.index.json"
    };
    for (String candidate : candidates) {
      Path file = directory.resolve(candidate);
      if (Files.exists(file)) {
        return ContainedPath.inside(file);
      }
    }
    throw new FormatException(
        Printable.path(directory)
            + " has none of "
            + String.join(", ", candidates)
            + "; give the directory that holds the weights");
  }

  /** Whether a file that {@link #find} returned is of {@code torch.save}. */
  static boolean isTorch(Path weights) {
    String name = weights.getFileName().toString();
    return name.endsWith(".bin") || name.endsWith(".bin.index.json");
  }
}
