package dev.panatune.format;

import dev.panatune.tensor.MappedFile;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;

/** The mapped files of a {@link WeightStore}: all of them, or none where one cannot be mapped. */
final class MappedFiles implements AutoCloseable {
  private final Map<Path, MappedFile> files = new HashMap<>();

  private MappedFiles() {}

  static MappedFiles open(Stream<Path> paths) {
    MappedFiles mapped = new MappedFiles();
    try {
      paths.forEach(path -> mapped.files.put(path, MappedFile.open(path)));
      return mapped;
    } catch (RuntimeException e) {
      mapped.close();
      throw e;
    }
  }

  /** Returns one of the files that were opened. */
  MappedFile get(Path path) {
    return files.get(path);
  }

  @Override
  public void close() {
    files.values().forEach(MappedFile::close);
  }
}
