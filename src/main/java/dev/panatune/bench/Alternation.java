package dev.panatune.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.error.PanatuneException;
import dev.panatune.format.StrictJson;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Lets sides take turns, each turn a process of its own, so that a machine's drift meets all of
 * them alike. A side that fails is left out from then on, and said so.
 */
final class Alternation {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final PrintWriter progress;
  private final SequencedMap<Side, List<Map<String, Object>>> results = new LinkedHashMap<>();
  private final SequencedMap<Side, String> failures = new LinkedHashMap<>();

  private Alternation(PrintWriter progress) {
    this.progress = progress;
  }

  /**
   * Runs all sides, so many rounds.
   *
   * @param progress takes a line a turn
   */
  static Alternation run(List<Side> sides, int rounds, PrintWriter progress) {
    Alternation turns = new Alternation(progress);
    for (int round = 1; round <= rounds; round++) {
      for (Side side : sides) {
        if (!turns.failures.containsKey(side)) {
          turns.say("round %d of %d: %s".formatted(round, rounds, side.name()));
          turns.turn(side);
        }
      }
    }
    return turns;
  }

  /** What the turns of each side measured; a side that failed in its first is not in it. */
  SequencedMap<Side, List<Map<String, Object>>> results() {
    return results;
  }

  /** Why sides are missing, by name. */
  Map<String, String> failures() {
    Map<String, String> named = new LinkedHashMap<>();
    failures.forEach((side, why) -> named.put(side.name(), why));
    return named;
  }

  private void turn(Side side) {
    try {
      Path errors = Files.createTempFile("panatune-bench", ".err");
      try {
        Process process = start(side, errors);
        // Whoever ends the benchmark ends the side that is running.
        Thread end = new Thread(process::destroyForcibly);
        Runtime.getRuntime().addShutdownHook(end);
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        Runtime.getRuntime().removeShutdownHook(end);
        List<String> lines = output.lines().filter(line -> !line.isBlank()).toList();
        if (status == 0 && !lines.isEmpty()) {
          results
              .computeIfAbsent(side, _ -> new ArrayList<>())
              .add(StrictJson.parseObject(lines.getLast(), side.name()));
        } else {
          fail(side, "exit code %d: %s".formatted(status, lastLine(errors)));
        }
      } finally {
        Files.deleteIfExists(errors);
      }
    } catch (IOException e) {
      fail(side, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new PanatuneException("interrupted during a benchmark", e);
    }
  }

  private Process start(Side side, Path errors) throws IOException {
    Map<String, Object> job = new HashMap<>(side.job());
    job.put(BenchWorker.STARTED, System.currentTimeMillis() / 1e3);
    List<String> command = new ArrayList<>(side.command());
    command.add(text(job));
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(errors.toFile());
    builder.environment().putAll(side.environment());
    return builder.start();
  }

  private void fail(Side side, String why) {
    failures.put(side, why);
    say("%s is left out: %s".formatted(side.name(), why));
  }

  private void say(String line) {
    progress.println(line);
    progress.flush();
  }

  private static String lastLine(Path errors) throws IOException {
    return new String(Files.readAllBytes(errors), StandardCharsets.UTF_8)
        .lines()
        .filter(line -> !line.isBlank())
        .reduce((_, last) -> last)
        .orElse("without a word");
  }

  private static String text(Map<String, Object> job) {
    try {
      return JSON.writeValueAsString(job);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("not JSON: " + job, e);
    }
  }
}
