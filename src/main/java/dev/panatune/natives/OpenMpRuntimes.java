package dev.panatune.natives;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/** Tells OpenMP runtimes from other libraries. Two in one process fight for the cores. */
final class OpenMpRuntimes {
  private static final Pattern NAME =
      Pattern.compile("lib(gomp|omp|iomp5)(-[0-9a-f]+)?\\.(so|dylib)(\\.[0-9.]+)?");

  private OpenMpRuntimes() {}

  static boolean isOne(String fileName) {
    return NAME.matcher(fileName).matches();
  }

  static List<Path> in(List<Path> libraries) {
    return libraries.stream().filter(p -> isOne(p.getFileName().toString())).toList();
  }
}
