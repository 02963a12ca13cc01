package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@EnabledOnOs(OS.LINUX)
class ProcessTest {
  @TempDir Path directory;

  private CommandProcess train(TinyRun run, int fileLimit, String... overrides) throws IOException {
    List<String> arguments =
        Stream.concat(
                Stream.of("train", run.file().toString(), "--threads", "1"),
                Stream.of(overrides).flatMap(override -> Stream.of("--set", override)))
            .toList();
    return CommandProcess.start(directory, fileLimit, Map.of(), arguments);
  }

  private static List<String> entries(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.map(path -> path.getFileName().toString()).sorted().toList();
    }
  }

  /** Whether this process, and so its children, ignore SIGINT, as what a shell puts behind does. */
  private static boolean ignoresInterrupts() throws IOException {
    String status = Files.readString(Path.of("/proc/self/status"));
    String mask =
        status
            .lines()
            .filter(line -> line.startsWith("SigIgn:"))
            .map(line -> line.substring(line.indexOf('\t') + 1))
            .findFirst()
            .orElse("0");
    return (Long.parseUnsignedLong(mask, 16) & 2) != 0;
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void aSignalEndsARunWithACheckpointToGoOnFrom(String signal, int code)
      throws IOException, InterruptedException {
    assumeFalse(signal.equals("INT") && ignoresInterrupts());
    TinyRun run = TinyRun.in(directory);
    Outcome outcome;
    try (CommandProcess process =
        train(run, 0, "training.max_steps=100000", "training.save_steps=100000")) {
      process.waitForLines(run.output().resolve("trainer_log.jsonl"), 3);
      process.signal(signal);
      outcome = process.outcome();
    }
    assertEquals(code, outcome.code(), outcome.err());
    assertTrue(outcome.err().contains("--resume auto"), outcome.err());
    List<String> left = entries(run.output());
    assertEquals(
        1, left.stream().filter(name -> name.startsWith("checkpoint-")).count(), "" + left);
    assertFalse(left.contains("adapter_model.safetensors"), "" + left);
  }

  @Test
  void aDiskThatIsFullIsToldAndLeavesNoHalfCheckpoint() throws IOException, InterruptedException {
    TinyRun run = TinyRun.in(directory);
    Outcome outcome;
    try (CommandProcess process = train(run, 64)) {
      outcome = process.outcome();
    }
    outcome.failed(1, "cannot write", run.output().toString());
    assertEquals(List.of("run.yaml", "trainer_log.jsonl"), entries(run.output()), outcome.err());
  }

  @Test
  void nativesThatAreNotThereAreToldWithoutAStack() throws IOException, InterruptedException {
    Path empty = Files.createDirectory(directory.resolve("empty"));
    TinyRun run = TinyRun.in(directory);
    try (CommandProcess process =
        CommandProcess.start(
            directory,
            0,
            Map.of("PANATUNE_TORCH", empty.toString()),
            List.of("train", run.file().toString()))) {
      process.outcome().failed(1, "PANATUNE_TORCH", empty.toString());
    }
    assertFalse(Files.exists(run.output().resolve("trainer_log.jsonl")));
  }
}
