package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StopSignalTest {
  @Test
  void aProgramCanAskForTheStop() {
    StopSignal signal = new StopSignal();
    assertFalse(signal.isRequested());
    assertEquals(OptionalInt.empty(), signal.number());
    signal.request();
    signal.request();
    assertTrue(signal.isRequested());
    assertEquals(OptionalInt.of(15), signal.number());
  }

  @ParameterizedTest
  @CsvSource({"INT, 2, 130", "TERM, 15, 143"})
  void theFirstSignalIsARequestAndTheSecondHalts(String name, int number, int exitCode)
      throws IOException, InterruptedException {
    assumeFalse(isIgnored(number), "SIG" + name + " is ignored, as in a background job");
    Process process = start();
    try (BufferedReader lines = process.inputReader()) {
      assertEquals("ready", lines.readLine());
      send(name, process);
      assertEquals("stop " + number, lines.readLine());
      send(name, process);
      assertNull(lines.readLine());
      assertEquals(exitCode, process.waitFor());
    } finally {
      process.destroyForcibly();
    }
  }

  /**
   * A child inherits that a signal is ignored, and Java leaves it so: the test would wait for ever.
   */
  private static boolean isIgnored(int number) throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return false;
    }
    String mask =
        Files.readAllLines(status).stream()
            .filter(line -> line.startsWith("SigIgn:"))
            .findFirst()
            .orElseThrow()
            .replaceFirst("SigIgn:\\s*", "");
    return (Long.parseUnsignedLong(mask, 16) >> (number - 1) & 1) == 1;
  }

  private static Process start() throws IOException {
    return new ProcessBuilder(
            ProcessHandle.current().info().command().orElseThrow(),
            "-cp",
            System.getProperty("java.class.path"),
            Waiting.class.getName())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private static void send(String name, Process process) throws IOException, InterruptedException {
    Process kill =
        new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).inheritIO().start();
    assertEquals(0, kill.waitFor());
  }

  /** A process that says when it is asked to stop, and goes on. */
  static final class Waiting {
    private Waiting() {}

    public static void main(String[] arguments) throws InterruptedException {
      try (StopSignal signal = StopSignal.install()) {
        System.out.println("ready");
        boolean said = false;
        while (true) {
          if (signal.isRequested() && !said) {
            System.out.println("stop " + signal.number().getAsInt());
            said = true;
          }
          Thread.sleep(5);
        }
      }
    }
  }
}
