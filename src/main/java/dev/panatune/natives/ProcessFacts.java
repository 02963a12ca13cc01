package dev.panatune.natives;

import java.nio.file.Path;
import java.util.List;

/**
 * What a process that loaded the native libraries looks like.
 *
 * @param openMpRuntimes the OpenMP runtimes in it; more than one fight for the cores
 * @param threads how many threads libtorch would use for one operation
 * @param threadsObserved how many did run in a parallel loop
 * @param description libtorch's own words: build, CPU capability, threading
 * @param problems what does not work although the rest does, as sentences
 */
public record ProcessFacts(
    List<Path> openMpRuntimes,
    int threads,
    int threadsObserved,
    String description,
    List<String> problems) {

  /** Takes copies of the lists. */
  public ProcessFacts {
    openMpRuntimes = List.copyOf(openMpRuntimes);
    problems = List.copyOf(problems);
  }
}
