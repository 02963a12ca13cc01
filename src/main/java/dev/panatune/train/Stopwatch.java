package dev.panatune.train;

/** The time that this process has spent on updates, and what it did in it. */
final class Stopwatch {
  final int startStep;
  final long createdAt = System.nanoTime();
  long trainingNanos;
  long tokens;
  long examples;
  double lastLoss = Double.NaN;
  double lastLearningRate = Double.NaN;
  private long begunAt;

  Stopwatch(int startStep) {
    this.startStep = startStep;
  }

  void begin() {
    begunAt = System.nanoTime();
  }

  void end(StepResult result, double learningRate) {
    trainingNanos += System.nanoTime() - begunAt;
    tokens += result.tokens();
    examples += result.examples();
    lastLoss = result.loss();
    lastLearningRate = learningRate;
  }

  double secondsSinceCreation() {
    return (System.nanoTime() - createdAt) / 1e9;
  }
}
