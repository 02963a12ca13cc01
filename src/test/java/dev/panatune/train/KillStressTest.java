package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills a training process again and again without warning ({@code kill -9}), at random moments and
 * in the middle of saves. Every time its newest checkpoint is whole, and in the end the weights are
 * those of a run that nobody killed.
 *
 * <p>It takes minutes: {@code mvn test -Dtest=KillStressTest -Dtest.excluded.tags=}. The seed of
 * the moments is {@code -Dstress.seed=N}.
 */
@Tag("slow")
class KillStressTest {
  private static final int STEPS = 24;
  private static final int RANDOM_KILLS = 40;
  private static final int KILLS_IN_A_SAVE = 10;
  private static final int KILLS_A_RUN = 5;

  @TempDir private Path directory;
  private final Random random = new Random(Long.getLong("stress.seed", 1));

  @Test
  void everyKillLeavesACheckpointFromWhichTheRunEndsAlike()
      throws IOException, InterruptedException {
    byte[] unbroken = finish(directory.resolve("unbroken"));
    int inSaves = 0;
    for (int kill = 0; kill < RANDOM_KILLS + KILLS_IN_A_SAVE; kill++) {
      Path output = directory.resolve("run-" + kill / KILLS_A_RUN);
      if (kill % KILLS_A_RUN == 0) {
        killInASave(output);
        inSaves++;
      } else {
        killAtRandom(output);
      }
      assertNewestIsWhole(output);
      if (kill % KILLS_A_RUN == KILLS_A_RUN - 1) {
        assertArrayEquals(unbroken, finish(output), output + " ended with other weights");
      }
    }
    assertEquals(KILLS_IN_A_SAVE, inSaves);
  }

  /** Waits for one of the next few updates, and then for up to what an update and a save take. */
  private void killAtRandom(Path output) throws IOException, InterruptedException {
    Process process = TinyTrainingProcess.start(output, STEPS);
    try (BufferedReader lines = process.inputReader()) {
      int updates = 1 + random.nextInt(3);
      while (updates > 0) {
        updates -= lines.readLine().startsWith("step") ? 1 : 0;
      }
      Thread.sleep(random.nextInt(120));
    } finally {
      kill(process);
    }
  }

  /** Kills as soon as the directory of a save that is under way is seen. */
  private void killInASave(Path output) throws IOException, InterruptedException {
    Process process = TinyTrainingProcess.start(output, STEPS);
    try {
      Optional<Path> saving = Optional.empty();
      while (saving.isEmpty()) {
        assertTrue(process.isAlive(), "the process ended without a save being seen");
        saving = saving(output, process.pid());
      }
      Thread.sleep(random.nextInt(20));
    } finally {
      kill(process);
    }
  }

  private static Optional<Path> saving(Path output, long process) throws IOException {
    if (!Files.isDirectory(output)) {
      return Optional.empty();
    }
    try (Stream<Path> entries = Files.list(output)) {
      return entries
          .filter(entry -> entry.getFileName().toString().startsWith(".checkpoint-"))
          .filter(entry -> entry.getFileName().toString().contains("." + process + "-"))
          .findFirst();
    }
  }

  private static void kill(Process process) throws InterruptedException {
    process.destroyForcibly();
    process.waitFor();
  }

  /** A checkpoint that is there at all is whole: renames are the last thing that a save does. */
  private static void assertNewestIsWhole(Path output) {
    List<String> passedOver = new ArrayList<>();
    Optional<Path> newest = CheckpointDirectory.newest(output, passedOver::add);
    assertEquals(List.of(), passedOver);
    assertEquals(CheckpointDirectory.all(output).isEmpty(), newest.isEmpty());
  }

  /** Runs to the end; returns the trained weights' file. */
  private static byte[] finish(Path output) throws IOException, InterruptedException {
    Process process = TinyTrainingProcess.start(output, STEPS);
    List<String> lines = process.inputReader().lines().toList();
    assertEquals(0, process.waitFor());
    assertEquals("done", lines.getLast());
    try (Stream<Path> entries = Files.list(output)) {
      assertTrue(
          entries.noneMatch(entry -> entry.getFileName().toString().startsWith(".")),
          "what killed processes left behind is cleared away");
    }
    Path last = CheckpointDirectory.of(output, STEPS);
    return Files.readAllBytes(
        CheckpointDirectory.named(last.toString()).resolve("adapter.safetensors"));
  }
}
