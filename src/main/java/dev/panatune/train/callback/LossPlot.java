package dev.panatune.train.callback;

import dev.panatune.format.AtomicFiles;
import java.awt.AWTError;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;

/**
 * Draws the training and the evaluation loss over the steps as a PNG, when the run is over.
 *
 * <p>A machine without fonts cannot draw; that is logged and does not fail the run.
 */
public final class LossPlot implements TrainerCallback {
  private static final Logger LOG = System.getLogger(LossPlot.class.getName());
  private static final int SHARPNESS = 2;

  private final Path file;
  private final String title;

  /**
   * A plot in {@code file}, which is replaced if it is there.
   *
   * @param title what the plot is headed with, such as the model's name
   */
  public LossPlot(Path file, String title) {
    this.file = file;
    this.title = title;
  }

  /** Draws what was logged; nothing if no loss was. */
  @Override
  public void onTrainEnd(TrainingProgress progress) {
    draw(progress.history()).ifPresent(png -> AtomicFiles.write(file, png));
  }

  private Optional<byte[]> draw(List<LogEntry> history) {
    try {
      return LossChart.of(title, history).map(LossPlot::png);
    } catch (AWTError | InternalError | LinkageError | RuntimeException e) {
      // What Java throws where there is no font differs from release to release.
      LOG.log(
          Level.WARNING,
          "could not draw "
              + file
              + " ("
              + e
              + "); Java draws text only where fontconfig and a font are installed");
      return Optional.empty();
    }
  }

  private static byte[] png(XYChart chart) {
    BufferedImage image =
        new BufferedImage(
            chart.getWidth() * SHARPNESS,
            chart.getHeight() * SHARPNESS,
            BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.scale(SHARPNESS, SHARPNESS);
    chart.paint(graphics, chart.getWidth(), chart.getHeight());
    graphics.dispose();
    try (ByteArrayOutputStream out = new ByteArrayOutputStream()) {
      ImageIO.write(image, "png", out);
      return out.toByteArray();
    } catch (IOException e) {
      throw new IllegalStateException("writing to memory does not fail", e);
    }
  }
}
