package dev.panatune.bench;

import dev.panatune.error.PanatuneException;
import dev.panatune.format.AtomicDirectory;
import dev.panatune.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** What the build lets Java see once, so that it keeps the classes of a training run. */
final class Rehearsal {
  private Rehearsal() {}

  static Map<String, Object> run() {
    try {
      Path cache = Files.createTempDirectory("panatune-rehearsal");
      try {
        Path model = ModelShape.TINY.directory(cache);
        TrainJob job = new TrainJob(model, false, DType.BFLOAT16, 1, 8, 2, false, 1, false);
        TrainMeasurement.run(job, 0);
        return TrainMeasurement.run(job.quantized(true), 0);
      } finally {
        AtomicDirectory.delete(cache);
      }
    } catch (IOException e) {
      throw new PanatuneException("no temporary folder: " + e.getMessage(), e);
    }
  }
}
