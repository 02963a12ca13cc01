package dev.panatune.train;

import dev.panatune.error.ConfigurationException;

/** The conditions that the values of {@link TrainingArguments} must meet. */
final class ArgumentChecks {
  private ArgumentChecks() {}

  static void positive(String name, int value) {
    if (value < 1) {
      throw new ConfigurationException(name + " is " + value + "; it must be at least 1");
    }
  }

  static void atLeastZero(String name, double value) {
    if (!(value >= 0) || Double.isInfinite(value)) {
      throw new ConfigurationException(
          name + " is " + value + "; it must be 0 or a positive number");
    }
  }

  static void fraction(String name, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new ConfigurationException(
          name + " is " + value + "; it must be at least 0 and below 1");
    }
  }

  /** A number of steps: a whole number, or a share of all steps if below 1. */
  static void interval(String name, double value) {
    atLeastZero(name, value);
    if (value >= 1 && (value != Math.rint(value) || value > Integer.MAX_VALUE)) {
      throw new ConfigurationException(
          name + " is " + value + "; from 1 on it must be a whole number of steps");
    }
  }

  static void steps(boolean counts, String name, double value) {
    interval(name, value);
    if (counts && value == 0) {
      throw new ConfigurationException(
          name + " is 0; with the strategy 'steps' it must be above 0 (set the strategy to 'no')");
    }
  }

  static void length(int maxSteps, double numTrainEpochs) {
    if (maxSteps <= 0 && !(numTrainEpochs > 0 && numTrainEpochs < Integer.MAX_VALUE)) {
      throw new ConfigurationException(
          "num_train_epochs is "
              + numTrainEpochs
              + " and max_steps is "
              + maxSteps
              + "; one of them must be above 0");
    }
  }

  static void precision(boolean bf16, boolean fp16) {
    if (bf16 && fp16) {
      throw new ConfigurationException("bf16 and fp16 are both true; choose one of them");
    }
  }

  /** A best model can only be found and kept where evaluations and checkpoints fall together. */
  static void best(
      boolean loadAtEnd,
      IntervalStrategy evaluate,
      SaveStrategy save,
      double evalSteps,
      double saveSteps) {
    if (save == SaveStrategy.BEST && evaluate == IntervalStrategy.NO) {
      throw new ConfigurationException(
          "save_strategy 'best' needs evaluations; set eval_strategy to 'steps' or 'epoch'");
    }
    if (!loadAtEnd || save == SaveStrategy.BEST) {
      return;
    }
    if (evaluate == IntervalStrategy.NO || !evaluate.name().equals(save.name())) {
      throw new ConfigurationException(
          "load_best_model_at_end needs eval_strategy and save_strategy to be the same, 'steps' or"
              + " 'epoch' (or save_strategy 'best'); they are '"
              + TrainingOptions.word(evaluate)
              + "' and '"
              + TrainingOptions.word(save)
              + "'");
    }
    if (evaluate == IntervalStrategy.STEPS && !isMultiple(saveSteps, evalSteps)) {
      throw new ConfigurationException(
          "load_best_model_at_end needs save_steps to be a multiple of eval_steps; they are "
              + saveSteps
              + " and "
              + evalSteps);
    }
  }

  private static boolean isMultiple(double saveSteps, double evalSteps) {
    double times = saveSteps / evalSteps;
    return (saveSteps < 1) == (evalSteps < 1) && Math.abs(times - Math.rint(times)) < 1e-9;
  }
}
