package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.file.Path;

/**
 * What may be kept in memory of a file's description. A header of a hundred megabytes can describe
 * millions of tensors of no bytes at all; each is charged here before it is kept.
 */
final class HeapBudget {
  /** Fits with room to spare into the 256 MB heap with which any file must be inspectable. */
  private static final long DEFAULT_BYTES = 96L << 20;

  private long left;

  HeapBudget(long bytes) {
    this.left = bytes;
  }

  static HeapBudget standard() {
    return new HeapBudget(DEFAULT_BYTES);
  }

  /** Takes {@code bytes} away. */
  void charge(long bytes, Path file) {
    left -= bytes;
    if (left < 0) {
      throw new FormatException(
          Printable.path(file)
              + " describes more tensors and metadata than any real model has; it is damaged or"
              + " was made to exhaust memory");
    }
  }

  /** Returns what a string of {@code characters} takes at most. */
  static long stringBytes(int characters) {
    return 48 + 2L * characters;
  }
}
