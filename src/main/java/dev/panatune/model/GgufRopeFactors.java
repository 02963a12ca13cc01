package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.GgmlType;
import dev.panatune.format.GgufFile;
import dev.panatune.nn.RopeConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Llama 3.1's rotary scaling, of which a GGUF file holds the result only: a factor per frequency.
 *
 * <p>The parameters are found again, because a {@code config.json} has to name them: all published
 * models differ in {@code factor} alone, which is the largest of the stored ones; the context of
 * the pre-training is tried as a power of two.
 */
final class GgufRopeFactors {
  /** The tensor that holds them. */
  static final String TENSOR = "rope_freqs.weight";

  private static final double LOW = 1;
  private static final double HIGH = 4;
  private static final int SHORTEST_LOG2 = 4;
  private static final int LONGEST_LOG2 = 20;
  private static final double TOLERANCE = 1e-4;

  private GgufRopeFactors() {}

  /**
   * Returns the {@code rope_scaling} of a file that has {@link #TENSOR}.
   *
   * @throws ConfigurationException if the stored factors are not Llama 3.1's
   */
  static Map<String, Object> read(GgufFile file, int headDim, double theta) {
    float[] stored = load(file, TENSOR);
    double factor = 1;
    for (float value : stored) {
      factor = Math.max(factor, value);
    }
    double largest = factor;
    RopeConfig.Llama3 rope =
        IntStream.rangeClosed(SHORTEST_LOG2, LONGEST_LOG2)
            .mapToObj(log2 -> new RopeConfig.Llama3(theta, largest, LOW, HIGH, 1 << log2))
            .filter(candidate -> matches(stored, of(candidate, headDim)))
            .findFirst()
            .orElseThrow(() ->
                new ConfigurationException(
                    ("%s: the rotary factors in %s are not those of Llama 3.1; other scalings"
                            + " are not supported yet")
                        .formatted(file.path(), TENSOR)));
    Map<String, Object> scaling = new LinkedHashMap<>();
    scaling.put("rope_type", "llama3");
    scaling.put("factor", factor);
    scaling.put("low_freq_factor", LOW);
    scaling.put("high_freq_factor", HIGH);
    scaling.put("original_max_position_embeddings", (int) rope.originalMaxPositions());
    return scaling;
  }

  /** Returns whether {@link #read} finds a scaling again. */
  static boolean canBeRead(RopeConfig.Llama3 rope) {
    double log2 = Math.log(rope.originalMaxPositions()) / Math.log(2);
    return rope.lowFrequencyFactor() == LOW
        && rope.highFrequencyFactor() == HIGH
        && log2 == Math.rint(log2)
        && log2 >= SHORTEST_LOG2
        && log2 <= LONGEST_LOG2;
  }

  /** Returns the numbers of a tensor of factors. */
  static float[] load(GgufFile file, String tensor) {
    if (file.tensor(tensor).type() != GgmlType.F32) {
      throw new FormatException("%s: %s is not F32".formatted(file.path(), tensor));
    }
    try (Arena arena = Arena.ofConfined()) {
      return file.map(tensor, arena).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }
  }

  private static boolean matches(float[] stored, float[] expected) {
    boolean matches = stored.length == expected.length;
    for (int i = 0; matches && i < stored.length; i++) {
      matches = Math.abs(stored[i] - expected[i]) <= TOLERANCE * expected[i];
    }
    return matches;
  }

  /** Returns the factors that a file stores for a scaling. */
  static float[] of(RopeConfig.Llama3 rope, int headDim) {
    float[] factors = new float[headDim / 2];
    for (int i = 0; i < factors.length; i++) {
      factors[i] = (float) factor(i, headDim, rope);
    }
    return factors;
  }

  private static double factor(int i, int headDim, RopeConfig.Llama3 rope) {
    double wavelength = 2 * Math.PI * Math.pow(rope.theta(), 2.0 * i / headDim);
    double low = rope.lowFrequencyFactor();
    double high = rope.highFrequencyFactor();
    double original = rope.originalMaxPositions();
    if (wavelength < original / high) {
      return 1;
    }
    if (wavelength > original / low) {
      return rope.factor();
    }
    double smooth = (original / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / rope.factor() + smooth);
  }
}
