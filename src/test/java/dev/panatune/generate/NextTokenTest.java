package dev.panatune.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import org.junit.jupiter.api.Test;

class NextTokenTest {
  private static final float[] LOGITS = {1, -2, 3, 0.5f, 2, -1};
  private static final float NONE = Float.NEGATIVE_INFINITY;
  private static final GenerationConfig SAMPLING = GenerationConfig.sampling(10, 7);

  private static float[] scores(GenerationConfig config, long... seen) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor logits = Tensor.ofFloats(LOGITS, 1, LOGITS.length);
      return new NextToken(config)
          .scores(logits, () -> Tensor.ofLongs(seen, 1, seen.length))
          .toFloats();
    }
  }

  private static int[] draws(GenerationConfig config, int count) {
    NextToken nextToken = new NextToken(config);
    int[] drawn = new int[count];
    for (int i = 0; i < count; i++) {
      try (TensorScope _ = TensorScope.open()) {
        Tensor logits = Tensor.ofFloats(LOGITS, 1, LOGITS.length);
        drawn[i] = nextToken.choose(logits, () -> Tensor.ofLongs(new long[] {0}, 1, 1));
      }
    }
    return drawn;
  }

  @Test
  void penaltyDividesPositiveAndMultipliesNegativeLogitsOnce() {
    float[] expected = {1, -4, 1.5f, 0.5f, 2, -1};
    assertArrayEquals(
        expected, scores(GenerationConfig.greedy(1).withRepetitionPenalty(2), 2, 1, 2));
  }

  @Test
  void greedyKnowsNoTemperatureTopKOrTopP() {
    GenerationConfig config =
        GenerationConfig.greedy(1).withTemperature(0.5).withTopK(1).withTopP(0.1);
    assertArrayEquals(LOGITS, scores(config, 0));
    assertArrayEquals(new int[] {2, 2}, draws(config, 2));
  }

  @Test
  void temperatureDivides() {
    assertArrayEquals(new float[] {2, -4, 6, 1, 4, -2}, scores(SAMPLING.withTemperature(0.5), 0));
  }

  @Test
  void topKKeepsTheLikeliest() {
    assertArrayEquals(new float[] {NONE, NONE, 3, NONE, 2, NONE}, scores(SAMPLING.withTopK(2), 0));
    assertArrayEquals(LOGITS, scores(SAMPLING.withTopK(100), 0));
  }

  @Test
  void topPKeepsTheFewestThatReachTheProbability() {
    // Probabilities: 2 has 0.618, 4 0.227, 0 0.084, 3 0.051, ...
    assertArrayEquals(
        new float[] {NONE, NONE, 3, NONE, NONE, NONE}, scores(SAMPLING.withTopP(0.6), 0));
    assertArrayEquals(
        new float[] {NONE, NONE, 3, NONE, 2, NONE}, scores(SAMPLING.withTopP(0.7), 0));
    assertArrayEquals(new float[] {1, NONE, 3, NONE, 2, NONE}, scores(SAMPLING.withTopP(0.9), 0));
  }

  @Test
  void topPWeighsWhatTemperatureAndTopKLeft() {
    // Of the two left at temperature 2, the likeliest has 0.622.
    GenerationConfig config = SAMPLING.withTemperature(2).withTopK(2);
    assertArrayEquals(
        new float[] {NONE, NONE, 1.5f, NONE, NONE, NONE}, scores(config.withTopP(0.62), 0));
    assertArrayEquals(
        new float[] {NONE, NONE, 1.5f, NONE, 1, NONE}, scores(config.withTopP(0.63), 0));
  }

  @Test
  void drawsAreThoseOfTheDistribution() {
    int[] counts = new int[LOGITS.length];
    for (int drawn : draws(SAMPLING, 4000)) {
      counts[drawn]++;
    }
    double total = 0;
    for (float logit : LOGITS) {
      total += Math.exp(logit);
    }
    for (int i = 0; i < LOGITS.length; i++) {
      double expected = Math.exp(LOGITS[i]) / total;
      double deviation = Math.sqrt(expected * (1 - expected) / 4000);
      assertEquals(expected, counts[i] / 4000.0, 4 * deviation, "token " + i);
    }
  }

  @Test
  void neverDrawsWhatWasFilteredOut() {
    for (int drawn : draws(SAMPLING.withTopK(2), 500)) {
      assertTrue(drawn == 2 || drawn == 4);
    }
  }

  @Test
  void drawsRepeatWithTheSeedAndLeaveTheDefaultGeneratorAlone() {
    byte[] before = Rng.state();
    assertArrayEquals(draws(SAMPLING, 20), draws(SAMPLING, 20));
    assertArrayEquals(before, Rng.state());
  }
}
