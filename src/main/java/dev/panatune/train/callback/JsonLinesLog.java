package dev.panatune.train.callback;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.PanatuneException;
import dev.panatune.format.AtomicFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Collectors;

/**
 * Writes the log as a JSON object a line ({@code trainer_log.jsonl}), with the keys of
 * transformers' log history.
 *
 * <p>A resumed run takes over the lines up to its checkpoint; what the stopped run wrote after it
 * is dropped, since those steps are made again.
 */
public final class JsonLinesLog implements TrainerCallback {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path file;

  /** A log in {@code file}; a file that is there is replaced when the run begins. */
  public JsonLinesLog(Path file) {
    this.file = file;
  }

  @Override
  public void onTrainBegin(TrainingProgress progress) {
    AtomicFiles.writeString(
        file, progress.history().stream().map(JsonLinesLog::line).collect(Collectors.joining()));
  }

  @Override
  public void onLog(TrainingProgress progress, LogEntry entry) {
    try {
      Files.writeString(file, line(entry), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new PanatuneException(
          "could not write to the log " + file + ": " + e.getMessage() + "; is the disk full?", e);
    }
  }

  private static String line(LogEntry entry) {
    try {
      return JSON.writeValueAsString(entry.toMap()) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("numbers under names are always JSON", e);
    }
  }
}
