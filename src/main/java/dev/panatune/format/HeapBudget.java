package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.time.Duration;

/**
 * What may be kept in memory of a file's description, and how long reading it may compute. A header
 * of a hundred megabytes can describe millions of tensors of no bytes at all; each is charged here
 * before it is kept.
 */
final class HeapBudget {
  /** Fits with room to spare into the 256 MB heap with which any file must be inspectable. */
  private static final long DEFAULT_BYTES = 96L << 20;

  /** Of the processor, not of the clock: a slow disk or a busy machine is no attack. */
  private static final Duration LONGEST = Duration.ofSeconds(10);

  private static final int CHARGES_BETWEEN_LOOKS = 1024;
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private final long end;
  private long left;
  private int charges;

  HeapBudget(long bytes) {
    this(bytes, LONGEST);
  }

  HeapBudget(long bytes, Duration longest) {
    this.left = bytes;
    this.end = cpuTime() + longest.toNanos();
  }

  /** Returns the time that this thread has computed, in nanoseconds; 0 where it is not counted. */
  private static long cpuTime() {
    return THREADS.isCurrentThreadCpuTimeSupported() ? THREADS.getCurrentThreadCpuTime() : 0;
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
    if (++charges % CHARGES_BETWEEN_LOOKS == 0 && cpuTime() > end) {
      throw new FormatException(
          Printable.path(file)
              + " takes longer to read than any real model; it is damaged or was made to");
    }
  }

  /** Returns what a string of {@code characters} takes at most. */
  static long stringBytes(int characters) {
    return 48 + 2L * characters;
  }
}
