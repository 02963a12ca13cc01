package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
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
  private final List<SafetensorsFile> files;
  private final Map<String, SafetensorsFile> owners;
  private final Map<String, TensorInfo> tensors;

  private SafetensorsIndex(List<SafetensorsFile> files, String source) {
    this.files = List.copyOf(files);
    Map<String, SafetensorsFile> ownerOf = new LinkedHashMap<>();
    Map<String, TensorInfo> infoOf = new LinkedHashMap<>();
    for (SafetensorsFile file : files) {
      file.tensors()
          .forEach((name, info) -> {
            SafetensorsFile other = ownerOf.put(name, file);
            if (other != null) {
              throw new FormatException(
                  source
                      + " has the tensor "
                      + Printable.quoted(name)
                      + " twice: in "
                      + Printable.path(other.path().getFileName())
                      + " and in "
                      + Printable.path(file.path().getFileName()));
            }
            infoOf.put(name, info);
          });
    }
    this.owners = ownerOf;
    this.tensors = Collections.unmodifiableMap(infoOf);
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
      return openShards(path);
    }
    return new SafetensorsIndex(List.of(SafetensorsFile.open(path)), Printable.path(path));
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
      return openShards(index);
    }
    throw new FormatException(
        Printable.path(directory)
            + " has neither "
            + single.getFileName()
            + " nor "
            + index.getFileName()
            + pickleHint(directory));
  }

  /** Returns the files: one, or the shards in the order in which the index first names them. */
  public List<SafetensorsFile> files() {
    return files;
  }

  /** Returns all tensors by name, file by file in the order of their data. */
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  /**
   * Returns the description of one tensor; its offset is in {@link #fileOf}.
   *
   * @throws FormatException if there is none of that name
   */
  public TensorInfo tensor(String name) {
    fileOf(name);
    return tensors.get(name);
  }

  /**
   * Returns the file that holds a tensor.
   *
   * @throws FormatException if there is none of that name
   */
  public SafetensorsFile fileOf(String name) {
    SafetensorsFile file = owners.get(name);
    if (file == null) {
      throw new FormatException(
          SafetensorsFile.missing(name, Printable.path(files.getFirst().path()), tensors));
    }
    return file;
  }

  /** Returns the {@code __metadata__} of all files together; the first file's word counts. */
  public Map<String, String> metadata() {
    Map<String, String> merged = new LinkedHashMap<>();
    files.forEach(file -> file.metadata().forEach(merged::putIfAbsent));
    return merged;
  }

  private static SafetensorsIndex openShards(Path index) {
    Path directory = index.toAbsolutePath().getParent();
    String source = Printable.path(index);
    HeapBudget budget = HeapBudget.standard();
    ShardMap shards = ShardMap.read(index, budget);
    Map<String, SafetensorsFile> opened = new LinkedHashMap<>();
    for (String shard : shards.names()) {
      Path file = ContainedPath.existing(directory, shard, source);
      opened.put(shard, SafetensorsFile.open(file, budget));
    }
    shards
        .shardOf()
        .forEach((tensor, shard) -> {
          if (!opened.get(shard).tensors().containsKey(tensor)) {
            throw new FormatException(
                source
                    + " says that the tensor "
                    + Printable.quoted(tensor)
                    + " is in "
                    + Printable.quoted(shard)
                    + ", which does not hold it");
          }
        });
    return new SafetensorsIndex(List.copyOf(opened.values()), source);
  }

  private static String pickleHint(Path directory) {
    boolean pickled =
        Files.exists(directory.resolve("pytorch_model.bin"))
            || Files.exists(directory.resolve("pytorch_model.bin.index.json"))
            || Files.exists(directory.resolve("adapter_model.bin"));
    return pickled
        ? "; its .bin files are pickled Python, which is not read: save it as safetensors"
            + " (save_pretrained of transformers or peft does)"
        : "; give the directory that holds the weights";
  }
}
