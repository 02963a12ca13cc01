package dev.panatune.train.schedule;

/**
 * How the learning rate moves over a run; names and formulas are those of transformers' {@code
 * get_scheduler}.
 */
public enum SchedulerType {
  /** Rises during the warm-up, then falls in a straight line to 0 at the last step. */
  LINEAR {
    @Override
    double factor(int step, int warmupSteps, int totalSteps) {
      if (step < warmupSteps) {
        return warmup(step, warmupSteps);
      }
      return Math.max(0.0, (double) (totalSteps - step) / Math.max(1, totalSteps - warmupSteps));
    }
  },
  /** Rises during the warm-up, then falls along half a cosine to 0 at the last step. */
  COSINE {
    @Override
    double factor(int step, int warmupSteps, int totalSteps) {
      if (step < warmupSteps) {
        return warmup(step, warmupSteps);
      }
      double progress = (double) (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
      return Math.max(0.0, 0.5 * (1.0 + Math.cos(Math.PI * HALF_A_WAVE * 2.0 * progress)));
    }
  },
  /** Stays where it is; a warm-up is not made. */
  CONSTANT {
    @Override
    double factor(int step, int warmupSteps, int totalSteps) {
      return 1.0;
    }
  },
  /** Rises during the warm-up, then stays. */
  CONSTANT_WITH_WARMUP {
    @Override
    double factor(int step, int warmupSteps, int totalSteps) {
      return step < warmupSteps ? warmup(step, warmupSteps) : 1.0;
    }
  };

  private static final double HALF_A_WAVE = 0.5;

  /** What the base learning rate is multiplied by for update {@code step}, counted from 0. */
  abstract double factor(int step, int warmupSteps, int totalSteps);

  private static double warmup(int step, int warmupSteps) {
    return (double) step / Math.max(1, warmupSteps);
  }
}
