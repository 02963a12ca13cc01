package dev.panatune.train.schedule;

/**
 * The learning rate of every update of a run.
 *
 * @param type the shape of the curve
 * @param learningRate the base rate, which the curve multiplies
 * @param warmupSteps the number of updates over which the rate rises from 0
 * @param totalSteps the number of updates of the whole run
 */
public record LearningRateSchedule(
    SchedulerType type, double learningRate, int warmupSteps, int totalSteps) {

  /** The learning rate of update {@code step}, counted from 0. */
  public double at(int step) {
    return learningRate * type.factor(step, warmupSteps, totalSteps);
  }
}
