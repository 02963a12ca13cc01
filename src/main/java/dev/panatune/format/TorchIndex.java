package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The tensors of one {@code torch.save} archive, or of the shards of a {@code .bin.index.json}. */
public final class TorchIndex {
  private static final Sharded.Kind<TorchFile, TorchTensorInfo> KIND =
      new Sharded.Kind<>(TorchFile::open, TorchFile::path, TorchFile::tensors);

  private final Sharded<TorchFile, TorchTensorInfo> shards;

  private TorchIndex(Sharded<TorchFile, TorchTensorInfo> shards) {
    this.shards = shards;
  }

  /**
   * Opens an archive, or an index if the name ends with {@code .json}.
   *
   * @throws FormatException if it is missing or any of it is refused
   */
  public static TorchIndex open(Path path) {
    boolean index = path.getFileName().toString().endsWith(".json");
    return new TorchIndex(index ? Sharded.indexed(path, KIND) : Sharded.single(path, KIND));
  }

  /** Returns the files: one, or the shards in the order in which the index first names them. */
  public List<TorchFile> files() {
    return shards.files();
  }

  /** Returns all tensors by name, file by file. */
  public Map<String, TorchTensorInfo> tensors() {
    return shards.tensors();
  }

  /**
   * Returns the file that holds a tensor.
   *
   * @throws FormatException if there is none of that name
   */
  public TorchFile fileOf(String name) {
    TorchFile file = shards.owners().get(name);
    if (file == null) {
      throw new FormatException(
          SafetensorsFile.missing(name, Printable.path(files().getFirst().path()), tensors()));
    }
    return file;
  }

  /** Returns what the files hold beside tensors; the first file's word counts. */
  public Map<String, Object> metadata() {
    Map<String, Object> merged = new LinkedHashMap<>();
    files().forEach(file -> file.metadata().forEach(merged::putIfAbsent));
    return merged;
  }
}
