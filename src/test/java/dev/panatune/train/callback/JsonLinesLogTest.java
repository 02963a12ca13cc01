package dev.panatune.train.callback;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JsonLinesLogTest {
  @TempDir private Path directory;

  private static LogEntry entry(int step, String key, double value) {
    SequencedMap<String, Double> values = new LinkedHashMap<>();
    values.put(key, value);
    return new LogEntry(step, step / 4.0, values);
  }

  private static TrainingProgress progress(List<LogEntry> history) {
    return new TrainingProgress(0, 8, 0, 0, Double.NaN, Double.NaN, 0, 0, history);
  }

  @Test
  void aLineHasTheKeysOfTransformersLogHistory() throws IOException {
    Path file = directory.resolve("trainer_log.jsonl");
    JsonLinesLog log = new JsonLinesLog(file);
    log.onTrainBegin(progress(List.of()));
    log.onLog(progress(List.of()), entry(0, "eval_loss", 4.5));
    log.onLog(progress(List.of()), entry(2, "loss", 1e-7));
    assertEquals(
        List.of(
            "{\"eval_loss\":4.5,\"epoch\":0.0,\"step\":0}",
            "{\"loss\":1.0E-7,\"epoch\":0.5,\"step\":2}"),
        Files.readAllLines(file));
  }

  @Test
  void aResumedRunReplacesWhatWasWrittenAfterItsCheckpoint() throws IOException {
    Path file = directory.resolve("trainer_log.jsonl");
    Files.writeString(file, "{\"loss\":3.0,\"epoch\":0.5,\"step\":2}\n{\"loss\":9.0,\"epo");
    JsonLinesLog log = new JsonLinesLog(file);
    log.onTrainBegin(progress(List.of(entry(2, "loss", 3))));
    log.onLog(progress(List.of()), entry(4, "loss", 2));
    assertEquals(
        List.of(
            "{\"loss\":3.0,\"epoch\":0.5,\"step\":2}", "{\"loss\":2.0,\"epoch\":1.0,\"step\":4}"),
        Files.readAllLines(file));
  }
}
