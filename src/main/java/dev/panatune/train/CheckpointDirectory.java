package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import dev.panatune.format.AtomicDirectory;
import dev.panatune.format.Manifest;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The {@code checkpoint-N} directories of a run: N is the number of updates made. */
final class CheckpointDirectory {
  private static final String PREFIX = "checkpoint-";
  private static final Pattern NAME = Pattern.compile(PREFIX + "(\\d{1,9})");

  private CheckpointDirectory() {}

  static Path of(Path outputDir, int step) {
    return outputDir.resolve(PREFIX + step);
  }

  /** The checkpoints in {@code outputDir}, whole or not, the oldest first. */
  static List<Path> all(Path outputDir) {
    List<Path> found = new ArrayList<>();
    if (!Files.isDirectory(outputDir)) {
      return found;
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(outputDir, PREFIX + "*")) {
      for (Path entry : entries) {
        if (NAME.matcher(entry.getFileName().toString()).matches()
            && Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
          found.add(entry);
        }
      }
    } catch (IOException e) {
      throw new PanatuneException("cannot list " + outputDir + ": " + e.getMessage(), e);
    }
    found.sort(Comparator.comparingInt(CheckpointDirectory::step));
    return found;
  }

  /**
   * The newest checkpoint whose manifest verifies.
   *
   * @param say is told which were passed over, and why
   */
  static Optional<Path> newest(Path outputDir, Consumer<String> say) {
    for (Path checkpoint : all(outputDir).reversed()) {
      try {
        Manifest.verify(checkpoint);
        return Optional.of(checkpoint);
      } catch (FormatException e) {
        say.accept("passing over " + checkpoint + ": " + e.getMessage());
      }
    }
    return Optional.empty();
  }

  /** The checkpoint that a user named, once its manifest has been verified. */
  static Path named(String directory) {
    Path path = Path.of(directory);
    if (!Files.isDirectory(path)) {
      throw new ConfigurationException(
          "there is no checkpoint " + path + "; 'auto' takes the newest one of the run");
    }
    Manifest.verify(path);
    return path;
  }

  /** Deletes the oldest until {@code limit} are left; those in {@code kept} stay in any case. */
  static void deleteOldest(Path outputDir, int limit, Set<Path> kept) {
    List<Path> checkpoints = all(outputDir);
    int remaining = checkpoints.size();
    for (Path checkpoint : checkpoints) {
      if (remaining <= limit) {
        return;
      }
      if (!kept.contains(checkpoint)) {
        AtomicDirectory.delete(checkpoint);
        remaining--;
      }
    }
  }

  private static int step(Path checkpoint) {
    Matcher matcher = NAME.matcher(checkpoint.getFileName().toString());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(checkpoint + " is no checkpoint");
    }
    return Integer.parseInt(matcher.group(1));
  }
}
