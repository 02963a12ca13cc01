package dev.panatune.format;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The hidden name beside a target under which it is written: {@code .NAME.PID-RANDOM.tmp}. It names
 * the process, so that what a killed one left behind is known from what a living one is writing.
 */
final class TemporaryName {
  private static final Pattern PATTERN = Pattern.compile("\\..+\\.(\\d{1,18})-[0-9a-f]{16}\\.tmp");

  private TemporaryName() {}

  static Path beside(Path target) {
    String random = String.format("%016x", ThreadLocalRandom.current().nextLong());
    return target.resolveSibling(
        "." + target.getFileName() + "." + ProcessHandle.current().pid() + "-" + random + ".tmp");
  }

  /** Deletes what processes that are gone left in {@code directory}. */
  static void removeLeftovers(Path directory) throws IOException {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, ".*.tmp")) {
      for (Path entry : entries) {
        OptionalLong pid = pid(entry);
        if (pid.isPresent() && ProcessHandle.of(pid.getAsLong()).isEmpty()) {
          Trees.delete(entry);
        }
      }
    }
  }

  private static OptionalLong pid(Path entry) {
    Matcher matcher = PATTERN.matcher(entry.getFileName().toString());
    return matcher.matches()
        ? OptionalLong.of(Long.parseLong(matcher.group(1)))
        : OptionalLong.empty();
  }
}
