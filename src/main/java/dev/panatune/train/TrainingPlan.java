package dev.panatune.train;

import dev.panatune.error.ConfigurationException;

/**
 * The arithmetic of a run: how many updates it makes and at which of them something is due.
 *
 * @param arguments what was asked for
 * @param batchesPerEpoch micro-batches in an epoch
 * @param stepsPerEpoch updates in an epoch; the last may have fewer micro-batches than the others
 * @param maxSteps updates of the whole run
 * @param loggingSteps updates between two lines of the log
 * @param evalSteps updates between two evaluations
 * @param saveSteps updates between two checkpoints
 */
record TrainingPlan(
    TrainingArguments arguments,
    int batchesPerEpoch,
    int stepsPerEpoch,
    int maxSteps,
    int loggingSteps,
    int evalSteps,
    int saveSteps) {

  /** Something that is done at some of a run's steps. */
  enum Task {
    LOG,
    EVALUATE,
    SAVE
  }

  static TrainingPlan of(TrainingArguments arguments, int examples) {
    int batchSize = arguments.perDeviceTrainBatchSize();
    int batches =
        arguments.dataloaderDropLast() ? examples / batchSize : Math.ceilDiv(examples, batchSize);
    if (batches == 0) {
      throw new ConfigurationException(
          examples == 0
              ? "there are no training examples"
              : "dataloader_drop_last leaves nothing: there are "
                  + examples
                  + " training examples and per_device_train_batch_size is "
                  + batchSize);
    }
    int steps = Math.ceilDiv(batches, arguments.gradientAccumulationSteps());
    int maxSteps =
        arguments.maxSteps() > 0
            ? arguments.maxSteps()
            : wholeSteps(arguments.numTrainEpochs() * steps, "num_train_epochs");
    return new TrainingPlan(
        arguments,
        batches,
        steps,
        maxSteps,
        interval(arguments.loggingSteps(), maxSteps),
        interval(arguments.evalSteps().orElse(0), maxSteps),
        interval(arguments.saveSteps(), maxSteps));
  }

  /** The number of epochs that the run begins. */
  int epochs() {
    return Math.ceilDiv(maxSteps, stepsPerEpoch);
  }

  /** The epoch, counted from 0, that update {@code step}, counted from 0, belongs to. */
  int epochOf(int step) {
    return step / stepsPerEpoch;
  }

  /** The first micro-batch, within its epoch, of update {@code step}, counted from 0. */
  int firstBatchOf(int step) {
    return step % stepsPerEpoch * arguments.gradientAccumulationSteps();
  }

  /** The number of micro-batches of update {@code step}, counted from 0. */
  int batchesOf(int step) {
    return Math.min(arguments.gradientAccumulationSteps(), batchesPerEpoch - firstBatchOf(step));
  }

  /** How many times the data has been gone through after {@code steps} updates. */
  double epochsAfter(int steps) {
    if (steps == 0) {
      return 0;
    }
    int last = steps - 1;
    return epochOf(last) + (double) (firstBatchOf(last) + batchesOf(last)) / batchesPerEpoch;
  }

  /** Whether {@code task} is due after {@code steps} updates (at least one). */
  boolean isDue(Task task, int steps) {
    return switch (task) {
      case LOG ->
          arguments.loggingFirstStep() && steps == 1
              || falls(arguments.loggingStrategy(), loggingSteps, steps);
      case EVALUATE ->
          isPastDelay(steps)
              && (falls(arguments.evalStrategy(), evalSteps, steps)
                  || arguments.evalStrategy() == IntervalStrategy.STEPS && steps == maxSteps);
      case SAVE ->
          switch (arguments.saveStrategy()) {
            case NO, BEST -> false;
            case STEPS -> steps % saveSteps == 0 || steps == maxSteps;
            case EPOCH -> endsEpoch(steps);
          };
    };
  }

  private boolean falls(IntervalStrategy strategy, int interval, int steps) {
    return switch (strategy) {
      case NO -> false;
      case STEPS -> steps % interval == 0;
      case EPOCH -> endsEpoch(steps);
    };
  }

  /** The last update ends its epoch also where it falls into the middle of one. */
  private boolean endsEpoch(int steps) {
    return steps % stepsPerEpoch == 0 || steps == maxSteps;
  }

  private boolean isPastDelay(int steps) {
    return switch (arguments.evalStrategy()) {
      case EPOCH -> arguments.evalDelay() <= epochsAfter(steps);
      case NO, STEPS -> arguments.evalDelay() <= steps;
    };
  }

  private static int interval(double value, int maxSteps) {
    return value < 1 ? (int) Math.ceil(maxSteps * value) : (int) value;
  }

  private static int wholeSteps(double steps, String name) {
    if (steps > Integer.MAX_VALUE) {
      throw new ConfigurationException(name + " makes more than " + Integer.MAX_VALUE + " updates");
    }
    return (int) Math.ceil(steps);
  }
}
