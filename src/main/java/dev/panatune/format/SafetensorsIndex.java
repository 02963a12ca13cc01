package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The tensors of a model or adapter, in one safetensors file or in several shards: the one place to
 * ask which file holds a tensor.
 *
 * <p>Shards are what {@code *.safetensors.index.json} names, and nothing outside of its directory.
 * Every tensor that the index names must be in the shard that it names, and in no other.
 */
public final class SafetensorsIndex {
  private static final Sharded.Kind<SafetensorsFile, TensorInfo> KIND =
      new Sharded.Kind<>(SafetensorsFile::open, SafetensorsFile::path, SafetensorsFile::tensors);

  private final Sharded<SafetensorsFile, TensorInfo> shards;

  private SafetensorsIndex(Sharded<SafetensorsFile, TensorInfo> shards) {
    this.shards = shards;
  }

  /**
   * Opens a {@code .safetensors} file, an {@code .index.json} file, or a model's directory ({@code
   * model.safetensors}, else {@code model.safetensors.index.json}).
   *
   * @throws FormatException if nothing of the kind is there or any of it is refused
   */
  public static SafetensorsIndex open(Path path) {
    if (Files.isDirectory(path)) {
      return open(path, "model");
    }
    if (path.getFileName().toString().endsWith(".json")) {
      return new SafetensorsIndex(Sharded.indexed(path, KIND));
    }
    return new SafetensorsIndex(Sharded.single(path, KIND));
  }

  /**
   * Opens {@code NAME.safetensors} in {@code directory}, or else the shards of {@code
   * NAME.safetensors.index.json}.
   *
   * @param name without extensions, such as "model" or "adapter_model"
   * @throws FormatException if neither is there or any of it is refused
   */
  public static SafetensorsIndex open(Path directory, String name) {
    Path single = directory.resolve(name + ".safetensors");
    Path index = directory.resolve(name + ".safetensors.index.json");
    if (Files.exists(single)) {
      return open(single);
    }
    if (Files.exists(index)) {
      return open(index);
    }
    throw new FormatException(
        Printable.path(directory)
            + " has neither "
            + single.getFileName()
            + " nor "
            + index.getFileName()
            + "; give the directory that holds the weights");
  }

  /** Returns the files: one, or the shards in the order in which the index first names them. */
  public List<SafetensorsFile> files() {
    return shards.files();
  }

  /** Returns all tensors by name, file by file in the order of their data. */
  public Map<String, TensorInfo> tensors() {
    return shards.tensors();
  }

  /**
   * Returns the description of one tensor; its offset is in {@link #fileOf}.
   *
   * @throws FormatException if there is none of that name
   */
  public TensorInfo tensor(String name) {
    fileOf(name);
    return tensors().get(name);
  }

  /**
   * Returns the file that holds a tensor.
   *
   * @throws FormatException if there is none of that name
   */
  public SafetensorsFile fileOf(String name) {
    SafetensorsFile file = shards.owners().get(name);
    if (file == null) {
      throw new FormatException(
          SafetensorsFile.missing(name, Printable.path(files().getFirst().path()), tensors()));
    }
    return file;
  }

  /** Returns the {@code __metadata__} of all files together; the first file's word counts. */
  public Map<String, String> metadata() {
    Map<String, String> merged = new LinkedHashMap<>();
    files().forEach(file -> file.metadata().forEach(merged::putIfAbsent));
    return merged;
  }
}
