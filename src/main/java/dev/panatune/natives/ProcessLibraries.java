package dev.panatune.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The shared libraries that the system has mapped into this process, whoever loaded them. */
final class ProcessLibraries {
  private static final Path MAPS = Path.of("/proc/self/maps");

  /** Columns of a line: range, permissions, offset, device, inode, path. */
  private static final int COLUMNS = 6;

  private ProcessLibraries() {}

  /** The paths, each once; nothing on systems that do not tell. */
  static List<Path> loaded() {
    if (!Files.isReadable(MAPS)) {
      return List.of();
    }
    try (Stream<String> lines = Files.lines(MAPS)) {
      return parse(lines);
    } catch (IOException e) {
      return List.of();
    }
  }

  static List<Path> parse(Stream<String> lines) {
    return lines
        .map(line -> line.split("\\s+", COLUMNS))
        .filter(columns -> columns.length == COLUMNS && columns[COLUMNS - 1].startsWith("/"))
        .map(columns -> columns[COLUMNS - 1])
        .filter(path -> path.matches(".*\\.(so|dylib)(\\.[0-9.]+)?( \\(deleted\\))?"))
        .map(path -> Path.of(path.replace(" (deleted)", "")))
        .distinct()
        .toList();
  }
}
