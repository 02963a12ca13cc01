package dev.panatune.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.panatune.tensor.TensorScope;
import org.junit.jupiter.api.Test;

class RopeFrequenciesTest {
  private static final int HEAD_DIM = 64;
  private static final double THETA = 500_000;

  private static float[] frequencies(RopeConfig config) {
    try (TensorScope _ = TensorScope.open()) {
      return RopeFrequencies.of(config, HEAD_DIM).toFloats();
    }
  }

  private static double standard(int i) {
    return Math.pow(THETA, -2.0 * i / HEAD_DIM);
  }

  @Test
  void standardFallsFromOneTowardsOneOverTheta() {
    float[] actual = frequencies(new RopeConfig.Standard(THETA));
    assertEquals(HEAD_DIM / 2, actual.length);
    for (int i = 0; i < actual.length; i++) {
      assertEquals(standard(i), actual[i], 1e-6 * standard(i));
    }
  }

  @Test
  void linearDividesAll() {
    float[] actual = frequencies(new RopeConfig.Linear(THETA, 4));
    for (int i = 0; i < actual.length; i++) {
      assertEquals(standard(i) / 4, actual[i], 1e-6 * standard(i));
    }
  }

  @Test
  void llama3KeepsHighDividesLowAndBlendsBetween() {
    float[] actual = frequencies(new RopeConfig.Llama3(THETA, 8, 1, 4, 8192));
    int kept = 0;
    int divided = 0;
    int blended = 0;
    for (int i = 0; i < actual.length; i++) {
      double wavelength = 2 * Math.PI / standard(i);
      double expected;
      if (wavelength < 8192 / 4.0) {
        expected = standard(i);
        kept++;
      } else if (wavelength > 8192) {
        expected = standard(i) / 8;
        divided++;
      } else {
        double smooth = (8192 / wavelength - 1) / (4 - 1);
        expected = (1 - smooth) * standard(i) / 8 + smooth * standard(i);
        blended++;
      }
      assertEquals(expected, actual[i], 2e-6 * expected, "frequency " + i);
    }
    assertEquals(HEAD_DIM / 2, kept + divided + blended);
    assertEquals(3, blended);
  }
}
