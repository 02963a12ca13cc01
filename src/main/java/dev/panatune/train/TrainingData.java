package dev.panatune.train;

import dev.panatune.data.Example;
import java.util.ArrayList;
import java.util.List;

/** Which examples every update of a run is made from. */
final class TrainingData {
  private static final long FNV_OFFSET = 0xcbf29ce484222325L;
  private static final long FNV_PRIME = 0x100000001b3L;

  private final List<Example> examples;
  private final TrainingPlan plan;
  private final DataOrder order;
  private int orderedEpoch = -1;
  private int[] ordered;

  TrainingData(List<Example> examples, TrainingPlan plan) {
    TrainingArguments arguments = plan.arguments();
    this.examples = examples;
    this.plan = plan;
    this.order =
        new DataOrder(
            arguments.trainSamplingStrategy(),
            arguments.orderSeed(),
            examples.stream().mapToInt(Example::length).toArray(),
            arguments.perDeviceTrainBatchSize() * arguments.gradientAccumulationSteps());
  }

  /** The micro-batches of update {@code step}, counted from 0. */
  List<List<Example>> of(int step) {
    int[] epoch = ordered(plan.epochOf(step));
    int size = plan.arguments().perDeviceTrainBatchSize();
    List<List<Example>> batches = new ArrayList<>();
    for (int i = 0; i < plan.batchesOf(step); i++) {
      int start = (plan.firstBatchOf(step) + i) * size;
      List<Example> batch = new ArrayList<>();
      for (int k = start; k < Math.min(start + size, epoch.length); k++) {
        batch.add(examples.get(epoch[k]));
      }
      batches.add(batch);
    }
    return batches;
  }

  /** How many examples of its epoch have been used once {@code steps} updates are made. */
  int usedOfEpoch(int steps) {
    if (steps % plan.stepsPerEpoch() == 0) {
      return 0;
    }
    int size = plan.arguments().perDeviceTrainBatchSize();
    return Math.min(plan.firstBatchOf(steps) * size, examples.size());
  }

  int size() {
    return examples.size();
  }

  /** A number that changes when any token or label of the data does. */
  long fingerprint() {
    long hash = FNV_OFFSET;
    for (Example example : examples) {
      hash = mix(mix(hash, example.ids()), example.labels());
      hash = example.texts() == 1 ? hash : mix(hash, example.starts());
    }
    return hash;
  }

  private static long mix(long hash, int[] values) {
    long mixed = (hash ^ values.length) * FNV_PRIME;
    for (int value : values) {
      mixed = (mixed ^ value) * FNV_PRIME;
    }
    return mixed;
  }

  private int[] ordered(int epoch) {
    if (orderedEpoch != epoch) {
      ordered = order.of(epoch);
      orderedEpoch = epoch;
    }
    return ordered;
  }
}
