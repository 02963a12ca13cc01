package dev.panatune.cli;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What a directory must be like before a command puts something there. */
final class Directories {
  private Directories() {}

  /** Refuses a directory that holds anything, before the work begins rather than after it. */
  static void requireFree(String option, Path directory) {
    if (!Files.exists(directory)) {
      return;
    }
    if (!Files.isDirectory(directory)) {
      throw new ConfigurationException(
          "%s %s is a file; name a new directory".formatted(option, directory));
    }
    try (Stream<Path> entries = Files.list(directory)) {
      if (entries.findAny().isPresent()) {
        throw new ConfigurationException(
            "%s %s is not empty; name a new directory".formatted(option, directory));
      }
    } catch (IOException e) {
      throw new PanatuneException("cannot read %s: %s".formatted(directory, e), e);
    }
  }
}
