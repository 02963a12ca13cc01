package dev.panatune.cli;

import dev.panatune.error.NativeLibraryException;
import dev.panatune.natives.NativeLibraries;
import dev.panatune.tensor.Threads;
import picocli.CommandLine.Option;

/** How many threads compute. */
final class ThreadOptions {
  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute; the number of cores by default.")
  private Integer threads;

  /**
   * Loads the native libraries and sets what was asked for.
   *
   * @throws NativeLibraryException if they are missing, broken or of another version
   */
  void apply() {
    if (threads != null) {
      Limits.atLeast("--threads", threads, 1);
    }
    NativeLibraries.load();
    if (threads != null) {
      Threads.setIntraOp(threads);
    }
  }
}
