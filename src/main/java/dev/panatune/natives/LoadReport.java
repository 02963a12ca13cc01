package dev.panatune.natives;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What was loaded into this process.
 *
 * @param torch the libtorch in use
 * @param bitsandbytes the bitsandbytes in use, empty where there is none
 * @param files every library that was loaded, in order
 * @param problems what does not work although the rest does, as sentences: CUDA, bitsandbytes
 */
public record LoadReport(
    LocatedLibrary torch,
    Optional<LocatedLibrary> bitsandbytes,
    List<Path> files,
    List<String> problems) {

  /** Takes copies of the lists. */
  public LoadReport {
    files = List.copyOf(files);
    problems = List.copyOf(problems);
  }
}
