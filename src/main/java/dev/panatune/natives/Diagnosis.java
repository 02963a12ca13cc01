package dev.panatune.natives;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The state of this installation.
 *
 * @param java the Java that runs
 * @param platform operating system and architecture
 * @param cpu the processor
 * @param home the cache folder
 * @param torch the libtorch
 * @param bitsandbytes the bitsandbytes; Panatune works without
 * @param process what a process that loads them looks like, empty where none can
 * @param problems what is wrong and what to do, a sentence or two each, most basic first
 * @param notes what works, but not as well as it could, in the same form
 */
public record Diagnosis(
    JavaFacts java,
    Platform platform,
    CpuFacts cpu,
    Path home,
    InstalledLibrary torch,
    InstalledLibrary bitsandbytes,
    Optional<ProcessFacts> process,
    List<String> problems,
    List<String> notes) {

  /** Takes copies of the lists. */
  public Diagnosis {
    problems = List.copyOf(problems);
    notes = List.copyOf(notes);
  }

  /** Whether nothing is wrong. */
  public boolean healthy() {
    return problems.isEmpty();
  }
}
