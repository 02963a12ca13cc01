package dev.panatune.train.optim;

/**
 * The factor that losses are multiplied by in float16, so that small gradients do not vanish: it is
 * halved when a gradient overflows and doubled after enough updates without that.
 */
public final class GradientScaler {
  private static final double FIRST = 65536;
  private static final double LEAST = 1.0 / 65536;
  private static final int GROWTH_INTERVAL = 2000;

  private double scale = FIRST;
  private int goodSteps;

  /** The factor now. */
  public double scale() {
    return scale;
  }

  /** Updates made since the factor last changed. */
  public int goodSteps() {
    return goodSteps;
  }

  /** Takes over the state of another one. */
  public void restore(double savedScale, int savedGoodSteps) {
    scale = savedScale;
    goodSteps = savedGoodSteps;
  }

  /** An update went through. */
  public void succeeded() {
    goodSteps++;
    if (goodSteps == GROWTH_INTERVAL) {
      scale *= 2;
      goodSteps = 0;
    }
  }

  /**
   * A gradient overflowed, and its update is left out.
   *
   * @return whether a smaller factor can still help
   */
  public boolean overflowed() {
    scale /= 2;
    goodSteps = 0;
    return scale >= LEAST;
  }
}
