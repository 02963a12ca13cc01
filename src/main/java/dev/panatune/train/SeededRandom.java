package dev.panatune.train;

/**
 * A generator whose numbers never change between releases of Java or of this library, because a
 * resumed run must see the data in the order of the run that was stopped (SplitMix64).
 */
final class SeededRandom {
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

  private long state;

  /** A stream of its own for every pair of a seed and a number. */
  SeededRandom(long seed, long stream) {
    state = mix(mix(seed) + GOLDEN_GAMMA * (stream + 1));
  }

  /** A number from 0 to {@code bound} - 1, all equally likely. */
  int below(int bound) {
    while (true) {
      long bits = next() >>> 1;
      long value = bits % bound;
      if (bits - value + (bound - 1) >= 0) {
        return (int) value;
      }
    }
  }

  /** The numbers from 0 to {@code size} - 1 in random order. */
  int[] permutation(int size) {
    int[] order = new int[size];
    for (int i = 0; i < size; i++) {
      int j = below(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }

  private long next() {
    state += GOLDEN_GAMMA;
    return mix(state);
  }

  private static long mix(long z) {
    long a = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    long b = (a ^ (a >>> 27)) * 0x94D049BB133111EBL;
    return b ^ (b >>> 31);
  }
}
