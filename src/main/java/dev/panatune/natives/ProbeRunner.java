package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Runs {@link NativesProbe} in a process of its own. */
final class ProbeRunner {
  private static final int SECONDS = 120;

  /** Exit codes from here on stand for the signal that ended the process. */
  private static final int SIGNALLED = 128;

  private final Map<String, String> environment;

  ProbeRunner(Map<String, String> environment) {
    this.environment = environment;
  }

  /**
   * Loads the native libraries in another process.
   *
   * @throws NativeLibraryException if that fails, or ends the other process
   */
  ProcessFacts run() {
    try {
      Path folder = Files.createTempDirectory("panatune-probe");
      Path out = folder.resolve("out");
      Path err = folder.resolve("err");
      try {
        return run(out, err);
      } finally {
        Files.deleteIfExists(out);
        Files.deleteIfExists(err);
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw new NativeLibraryException(
          "A process to load the native libraries could not be started: " + e.getMessage(), e);
    }
  }

  private ProcessFacts run(Path out, Path err) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx64m",
            "-XX:+UseSerialGC",
            "-XX:-CreateCoredumpOnCrash",
            "-XX:ErrorFile=/dev/null",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            NativesProbe.class.getName());
    builder.environment().clear();
    builder.environment().putAll(environment);
    Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
    int status = waitFor(process);
    if (status >= SIGNALLED) {
      throw new NativeLibraryException(
          "Loading the native libraries ended the process (signal "
              + (status - SIGNALLED)
              + "): one of them is damaged or not made for this machine. Install libtorch anew"
              + " ('panatune setup'), or build Panatune anew.");
    }
    if (status != 0) {
      throw new NativeLibraryException(lastLine(err));
    }
    return NativesProbe.parse(Files.readString(out));
  }

  private static int waitFor(Process process) {
    try {
      if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
        throw new NativeLibraryException(
            "Loading the native libraries did not end within " + SECONDS + " seconds.");
      }
      return process.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new NativeLibraryException("Interrupted while loading the native libraries.", e);
    } finally {
      process.destroyForcibly();
    }
  }

  private static String lastLine(Path err) throws IOException {
    List<String> lines =
        new String(Files.readAllBytes(err), StandardCharsets.UTF_8)
            .lines()
            .filter(line -> !line.isBlank())
            .toList();
    return lines.isEmpty()
        ? "Loading the native libraries failed without a word."
        : lines.getLast();
  }
}
