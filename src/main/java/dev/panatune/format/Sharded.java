package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Tensors in one file or in several, each in one of them.
 *
 * @param files in the order in which they are first named
 * @param owners the file of each tensor
 * @param tensors by name, file by file
 * @param <F> a file
 * @param <T> the description of a tensor
 */
record Sharded<F, T>(List<F> files, Map<String, F> owners, Map<String, T> tensors) {
  /** What has to be known of a kind of file. */
  record Kind<F, T>(
      Opener<F> opener, Function<F, Path> path, Function<F, Map<String, T>> tensors) {}

  /** Opens a file and charges what it describes. */
  @FunctionalInterface
  interface Opener<F> {
    F open(Path path, HeapBudget budget);
  }

  /** Opens one file that holds all tensors. */
  static <F, T> Sharded<F, T> single(Path path, Kind<F, T> kind) {
    F file = kind.opener().open(path, HeapBudget.standard());
    return of(List.of(file), kind, Printable.path(path));
  }

  /**
   * Opens the shards that an index names, and nothing outside of its directory.
   *
   * @throws FormatException if a shard is missing or refused, or if a tensor is not in the shard
   *     that the index names, or in another one too
   */
  static <F, T> Sharded<F, T> indexed(Path index, Kind<F, T> kind) {
    Path directory = index.toAbsolutePath().getParent();
    String source = Printable.path(index);
    HeapBudget budget = HeapBudget.standard();
    ShardMap shards = ShardMap.read(index, budget);
    Map<String, F> opened = new LinkedHashMap<>();
    for (String shard : shards.names()) {
      Path file = ContainedPath.existing(directory, shard, source);
      opened.put(shard, kind.opener().open(file, budget));
    }
    shards
        .shardOf()
        .forEach((tensor, shard) -> {
          if (!kind.tensors().apply(opened.get(shard)).containsKey(tensor)) {
            throw new FormatException(
                source
                    + " says that the tensor "
                    + Printable.quoted(tensor)
                    + " is in "
                    + Printable.quoted(shard)
                    + ", which does not hold it");
          }
        });
    return of(List.copyOf(opened.values()), kind, source);
  }

  private static <F, T> Sharded<F, T> of(List<F> files, Kind<F, T> kind, String source) {
    Map<String, F> owners = new LinkedHashMap<>();
    Map<String, T> tensors = new LinkedHashMap<>();
    for (F file : files) {
      kind.tensors()
          .apply(file)
          .forEach((name, info) -> {
            F other = owners.put(name, file);
            if (other != null) {
              throw new FormatException(
                  source
                      + " has the tensor "
                      + Printable.quoted(name)
                      + " twice: in "
                      + Printable.path(kind.path().apply(other).getFileName())
                      + " and in "
                      + Printable.path(kind.path().apply(file).getFileName()));
            }
            tensors.put(name, info);
          });
    }
    return new Sharded<>(
        files, Collections.unmodifiableMap(owners), Collections.unmodifiableMap(tensors));
  }
}
