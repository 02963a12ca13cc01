package dev.panatune.train.callback;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LossPlotTest {
  private static final int TRAINING = 0x3B7DD8;
  private static final int EVALUATION = 0xE06C1F;

  @TempDir private Path directory;

  private static LogEntry entry(int step, String key, double value) {
    SequencedMap<String, Double> values = new LinkedHashMap<>();
    values.put(key, value);
    return new LogEntry(step, step, values);
  }

  private Path draw(List<LogEntry> history) {
    Path file = directory.resolve("loss.png");
    new LossPlot(file, "a model").onTrainEnd(new TrainingProgress(9, 9, 0, 1, 1, 1, 1, 1, history));
    return file;
  }

  private static long pixels(BufferedImage image, int color) {
    long count = 0;
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        count += (image.getRGB(x, y) & 0xFFFFFF) == color ? 1 : 0;
      }
    }
    return count;
  }

  @Test
  void bothLossesAreDrawnAndNamedInTheLegend() throws IOException {
    List<LogEntry> history = new ArrayList<>();
    for (int step = 0; step <= 40; step += 10) {
      history.add(entry(step, "eval_loss", 5 - 0.05 * step));
    }
    for (int step = 1; step <= 40; step++) {
      history.add(entry(step, "loss", 4.5 - 0.05 * step));
    }
    history.add(entry(40, "train_runtime", 3));
    BufferedImage image = ImageIO.read(draw(history).toFile());
    assertEquals(1600, image.getWidth());
    assertEquals(900, image.getHeight());
    assertTrue(pixels(image, TRAINING) > 1000, "training curve");
    assertTrue(pixels(image, EVALUATION) > 1000, "evaluation curve");
    BufferedImage legend = image.getSubimage(1200, 100, 400, 150);
    assertTrue(pixels(legend, TRAINING) > 20 && pixels(legend, EVALUATION) > 20, "legend");
  }

  @Test
  void aSinglePointIsSeen() throws IOException {
    BufferedImage image = ImageIO.read(draw(List.of(entry(1, "loss", 2))).toFile());
    assertTrue(pixels(image, TRAINING) > 20);
  }

  @Test
  void withoutALossThereIsNoPlot() {
    assertFalse(Files.exists(draw(List.of(entry(9, "train_runtime", 3)))));
  }
}
