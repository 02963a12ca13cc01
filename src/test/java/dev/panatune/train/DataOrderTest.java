package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DataOrderTest {
  private static final int[] LENGTHS = IntStream.range(0, 100).map(i -> 1 + i * 37 % 91).toArray();

  private static DataOrder order(SamplingStrategy strategy, long seed) {
    return new DataOrder(strategy, seed, LENGTHS, 4);
  }

  private static int[] sorted(int[] order) {
    int[] copy = order.clone();
    Arrays.sort(copy);
    return copy;
  }

  /** Checkpoints of older releases are resumed with this order: it may never change. */
  @Test
  void theRandomOrderIsTheSameInEveryRelease() {
    DataOrder small = new DataOrder(SamplingStrategy.RANDOM, 42, new int[10], 1);
    assertArrayEquals(new int[] {8, 5, 4, 9, 3, 7, 0, 1, 2, 6}, small.of(0));
    assertArrayEquals(new int[] {3, 2, 8, 1, 9, 4, 7, 5, 0, 6}, small.of(1));
  }

  @Test
  void everyEpochHasEveryExampleOnceInAnOrderOfItsOwn() {
    for (SamplingStrategy strategy : SamplingStrategy.values()) {
      int[] first = order(strategy, 42).of(0);
      assertArrayEquals(IntStream.range(0, 100).toArray(), sorted(first), strategy.name());
      boolean same = Arrays.equals(first, order(strategy, 42).of(1));
      assertEquals(strategy == SamplingStrategy.SEQUENTIAL, same, strategy.name());
    }
  }

  @Test
  void theSeedDecides() {
    int[] first = order(SamplingStrategy.RANDOM, 42).of(3);
    assertArrayEquals(first, order(SamplingStrategy.RANDOM, 42).of(3));
    assertFalse(Arrays.equals(first, order(SamplingStrategy.RANDOM, 43).of(3)));
  }

  @Test
  void groupsByLengthWithTheLongestFirst() {
    int[] order = order(SamplingStrategy.GROUP_BY_LENGTH, 42).of(0);
    assertEquals(Arrays.stream(LENGTHS).max().getAsInt(), LENGTHS[order[0]]);
    // 100 examples in updates of 4: groups of 100 / (4 * 4) = 6 updates, so of 24.
    for (int start = 0; start < 100; start += 24) {
      for (int i = start + 2; i < Math.min(start + 24, 100); i++) {
        assertTrue(LENGTHS[order[i - 1]] >= LENGTHS[order[i]], "at " + i);
      }
    }
  }
}
