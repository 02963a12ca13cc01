package dev.panatune.bench;

import dev.panatune.error.ConfigurationException;
import dev.panatune.natives.PanatuneHome;
import dev.panatune.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The Python that runs the peers, and where their scripts lie.
 *
 * @param python the interpreter
 * @param scripts {@code bench/peers} of a checkout
 * @param dtype what they compute in; empty for the same as ours
 */
public record PythonPeers(Path python, Path scripts, Optional<DType> dtype) {
  /**
   * glibc gives blocks over 32 MB back to the system after each use, and the system clears them
   * anew: a process of one's own may forbid that.
   */
  static final Map<String, String> TUNED_MALLOC =
      Map.of(
          "MALLOC_MMAP_THRESHOLD_", "4294967296",
          "MALLOC_TRIM_THRESHOLD_", "4294967296");

  /**
   * Finds them.
   *
   * @param asked the interpreter to take; empty for that of the environment which {@code
   *     bench/peers/setup} makes
   * @param dtype what they compute in; empty for the same as ours
   * @return nothing where there is no such environment and none was asked for
   * @throws ConfigurationException if the one asked for is not there, or the scripts are not
   */
  public static Optional<PythonPeers> find(Optional<Path> asked, Optional<DType> dtype) {
    Path scripts =
        Path.of(System.getProperty(OwnProcess.ROOT, ""), "bench", "peers").toAbsolutePath();
    Path python = asked.orElse(PanatuneHome.path().resolve("peers/bin/python"));
    if (!Files.isExecutable(python)) {
      if (asked.isPresent()) {
        throw new ConfigurationException("--python: there is no program at " + python);
      }
      return Optional.empty();
    }
    if (!Files.isDirectory(scripts)) {
      throw new ConfigurationException(
          "the peers' scripts are not at %s; run bench from a checkout".formatted(scripts));
    }
    return Optional.of(new PythonPeers(python, scripts, dtype));
  }

  /** A side that a script runs. */
  Side side(
      String name,
      String group,
      String script,
      Map<String, String> environment,
      Map<String, Object> job) {
    return new Side(
        name,
        group,
        false,
        List.of(python.toString(), scripts.resolve(script).toString()),
        environment,
        job);
  }
}
