package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.GgmlType;
import dev.panatune.format.GgufFile;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Llama 3.1's rotary scaling, of which a GGUF file holds the result only: a factor per frequency.
 *
 * <p>The parameters are found again, because a {@code config.json} has to name them: all published
 * models differ in {@code factor} alone, which is the largest of the stored ones.
 */
final class GgufRopeFactors {
  /** The tensor that holds them. */
  static final String TENSOR = "rope_freqs.weight";

  private static final double LOW = 1;
  private static final double HIGH = 4;
  private static final int ORIGINAL_POSITIONS = 8192;
  private static final double TOLERANCE = 1e-4;

  private GgufRopeFactors() {}

  /**
   * Returns the {@code rope_scaling} of a file that has {@link #TENSOR}.
   *
   * @throws ConfigurationException if the stored factors are not Llama 3.1's
   */
  static Map<String, Object> read(GgufFile file, int headDim, double theta) {
    float[] stored = load(file);
    double factor = 1;
    for (float value : stored) {
      factor = Math.max(factor, value);
    }
    boolean matches = stored.length == headDim / 2;
    for (int i = 0; matches && i < stored.length; i++) {
      double expected = expected(Math.pow(theta, -2.0 * i / headDim), factor);
      matches = Math.abs(stored[i] - expected) <= TOLERANCE * expected;
    }
    if (!matches) {
      throw new ConfigurationException(
          ("%s: the rotary factors in %s are not those of Llama 3.1 with a context of %d;"
                  + " other scalings are not supported yet")
              .formatted(file.path(), TENSOR, ORIGINAL_POSITIONS));
    }
    Map<String, Object> scaling = new LinkedHashMap<>();
    scaling.put("rope_type", "llama3");
    scaling.put("factor", factor);
    scaling.put("low_freq_factor", LOW);
    scaling.put("high_freq_factor", HIGH);
    scaling.put("original_max_position_embeddings", ORIGINAL_POSITIONS);
    return scaling;
  }

  private static float[] load(GgufFile file) {
    if (file.tensor(TENSOR).type() != GgmlType.F32) {
      throw new FormatException("%s: %s is not F32".formatted(file.path(), TENSOR));
    }
    try (Arena arena = Arena.ofConfined()) {
      return file.map(TENSOR, arena).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }
  }

  private static double expected(double frequency, double factor) {
    double wavelength = 2 * Math.PI / frequency;
    if (wavelength < ORIGINAL_POSITIONS / HIGH) {
      return 1;
    }
    if (wavelength > ORIGINAL_POSITIONS / LOW) {
      return factor;
    }
    double smooth = (ORIGINAL_POSITIONS / wavelength - LOW) / (HIGH - LOW);
    return 1 / ((1 - smooth) / factor + smooth);
  }
}
