package dev.panatune.format;

import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;

/** Says what an {@link IOException} means for the one who reads it, and what to do. */
final class StorageFailure {
  private StorageFailure() {}

  /**
   * Returns the exception to throw.
   *
   * @param action what was attempted, as in "cannot {@code write} FILE"
   */
  static PanatuneException of(String action, Path path, IOException cause) {
    return new PanatuneException(
        "cannot " + action + " " + Printable.path(path) + ": " + reason(cause), cause);
  }

  private static String reason(IOException cause) {
    String detail = detail(cause);
    String lowered = detail.toLowerCase(Locale.ROOT);
    if (lowered.contains("no space left") || lowered.contains("disk quota exceeded")) {
      return "the disk is full (" + detail + "); free some space or choose another place";
    }
    if (lowered.contains("read-only file system")) {
      return "the file system is read-only; choose another place";
    }
    if (cause instanceof AccessDeniedException) {
      return "permission denied; choose a place that you may write to, or change its permissions";
    }
    if (cause instanceof NoSuchFileException) {
      return "no such file or directory";
    }
    return detail;
  }

  private static String detail(IOException cause) {
    String reason =
        cause instanceof FileSystemException failure && failure.getReason() != null
            ? failure.getReason()
            : cause.getMessage();
    return reason == null ? cause.getClass().getSimpleName() : reason;
  }
}
