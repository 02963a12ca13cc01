package dev.panatune.train.callback;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;

class ProgressBarTest {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

  /** 30 of 120 steps in 60 seconds, with 24,000 tokens. */
  private static TrainingProgress progress(int step) {
    return new TrainingProgress(
        step, 120, 0, step / 100.0, 2.34567, 4.3e-4, 800L * step, 2_000_000_000L * step, List.of());
  }

  private static LogEntry entry(int step, String key, double value) {
    SequencedMap<String, Double> values = new LinkedHashMap<>();
    values.put(key, value);
    values.put("learning_rate", 4.3e-4);
    return new LogEntry(step, step / 100.0, values);
  }

  private String written() {
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void aTerminalHasOneLineWithLossRateSpeedAndTimeLeft() {
    ProgressBar bar = new ProgressBar(out, true);
    bar.onStepEnd(progress(30));
    bar.onTrainEnd(progress(120));
    String first = written().split("\r")[1];
    assertEquals(
        " 25% ▕██████                  ▏ 30/120 01:00<03:00 loss 2.3457 lr 4.30e-04 400 tok/s",
        first);
    assertEquals(1, written().lines().filter(line -> line.contains("120/120")).count());
    assertEquals(1, written().chars().filter(c -> c == '\n').count());
  }

  @Test
  void aShorterLineCoversTheLongerOneBefore() {
    ProgressBar bar = new ProgressBar(out, true);
    bar.onEvaluationBegin(progress(30));
    bar.onStepEnd(progress(30));
    String[] drawn = written().split("\r");
    assertEquals(drawn[1].length(), drawn[2].length());
  }

  @Test
  void elsewhereThereIsALineALogEntryAndNoControlCharacters() {
    ProgressBar bar = new ProgressBar(out, false);
    bar.onTrainBegin(progress(0));
    bar.onStepEnd(progress(30));
    bar.onLog(progress(30), entry(30, "loss", 2.5));
    bar.onLog(progress(30), entry(30, "eval_loss", 2.25));
    bar.onTrainEnd(progress(120));
    assertEquals(
        List.of(
            "step 30/120  epoch 0.30  loss 2.5000  learning_rate 4.30e-04  400 tok/s  left 03:00",
            "step 30/120  epoch 0.30  eval_loss 2.2500  learning_rate 4.30e-04"),
        written().lines().toList());
    assertFalse(written().contains("\r"));
  }

  @Test
  void aMessageStandsOnALineOfItsOwn() {
    ProgressBar bar = new ProgressBar(out, true);
    bar.onStepEnd(progress(30));
    bar.onMessage("passing over checkpoint-20");
    assertTrue(written().endsWith("\rpassing over checkpoint-20\n"), written());
  }
}
