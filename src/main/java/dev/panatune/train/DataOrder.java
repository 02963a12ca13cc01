package dev.panatune.train;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * In which order every epoch goes through the examples: a function of the seed and the epoch alone,
 * so that a resumed run continues it at any point.
 */
final class DataOrder {
  private static final int MOST_BATCHES_IN_A_GROUP = 50;
  private static final int LEAST_GROUPS = 4;

  private final SamplingStrategy strategy;
  private final long seed;
  private final int[] lengths;
  private final int stepSize;

  /**
   * @param lengths the number of tokens of every example
   * @param stepSize the number of examples of an update
   */
  DataOrder(SamplingStrategy strategy, long seed, int[] lengths, int stepSize) {
    this.strategy = strategy;
    this.seed = seed;
    this.lengths = lengths.clone();
    this.stepSize = stepSize;
  }

  /** The indices of the examples in the order of {@code epoch}, counted from 0. */
  int[] of(int epoch) {
    int size = lengths.length;
    return switch (strategy) {
      case SEQUENTIAL -> IntStream.range(0, size).toArray();
      case RANDOM -> new SeededRandom(seed, epoch).permutation(size);
      case GROUP_BY_LENGTH -> grouped(new SeededRandom(seed, epoch).permutation(size));
    };
  }

  /**
   * Sorts groups of some batches by length, longest first; the group with the longest example comes
   * first.
   */
  private int[] grouped(int[] order) {
    int batches = Math.min(order.length / (stepSize * LEAST_GROUPS), MOST_BATCHES_IN_A_GROUP);
    int groupSize = Math.max(1, batches) * stepSize;
    int[] result = new int[order.length];
    int longest = 0;
    for (int start = 0; start < order.length; start += groupSize) {
      int end = Math.min(start + groupSize, order.length);
      int[] group =
          Arrays.stream(order, start, end)
              .boxed()
              .sorted(Comparator.comparingInt((Integer i) -> lengths[i]).reversed())
              .mapToInt(Integer::intValue)
              .toArray();
      System.arraycopy(group, 0, result, start, group.length);
      if (lengths[group[0]] > lengths[result[longest]]) {
        longest = start;
      }
    }
    int first = result[0];
    result[0] = result[longest];
    result[longest] = first;
    return result;
  }
}
