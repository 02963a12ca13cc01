package dev.panatune.bench;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a call costs beside the work: the least of some rounds, as {@code timeit} has it. JMH
 * measures the same from {@code TensorBenchmark}.
 */
final class OpsMeasurement {
  private static final int ROUNDS = 10;
  private static final int CALLS = 200_000;

  private OpsMeasurement() {}

  static Map<String, Object> run() {
    Map<String, Object> result = new LinkedHashMap<>();
    try (TensorScope _ = TensorScope.open()) {
      Tensor left = Tensor.ones(DType.FLOAT32, 2, 2);
      Tensor right = Tensor.ones(DType.FLOAT32, 2, 2);
      result.put("addAndFree", nanoseconds(() -> left.add(right).close()));
      result.put("readMetadata", nanoseconds(() -> consume(left.size(1))));
    }
    return result;
  }

  private static double nanoseconds(Runnable action) {
    double least = Double.POSITIVE_INFINITY;
    for (int round = 0; round <= ROUNDS; round++) {
      long start = System.nanoTime();
      for (int call = 0; call < CALLS; call++) {
        action.run();
      }
      least = Math.min(least, (double) (System.nanoTime() - start) / CALLS);
    }
    return least;
  }

  private static void consume(long extent) {
    if (extent < 0) {
      throw new IllegalStateException("an extent below 0");
    }
  }
}
