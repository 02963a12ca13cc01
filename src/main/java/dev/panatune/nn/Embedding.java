package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** A table [vocabulary, hidden] of which ids [...] pick rows, times a scale: [..., hidden]. */
public final class Embedding extends Module implements UnaryLayer {
  private static final String WEIGHT = "weight";

  private final double scale;

  /** Creates a layer over a table that it owns from now on. */
  public Embedding(Tensor weight) {
    this(weight, 1);
  }

  /**
   * Creates a layer over a table that it owns from now on.
   *
   * @param scale what the rows are multiplied by
   */
  public Embedding(Tensor weight, double scale) {
    this.scale = scale;
    addParameter(WEIGHT, weight);
  }

  /** Returns the rows of {@code ids} (int64), times the scale, in the table's dtype. */
  @Override
  public Tensor forward(Tensor ids) {
    return scaled(Tensor.embedding(weight(), ids));
  }

  /** Multiplies by {@link #scale}, rounded to the table's dtype first, as transformers does. */
  public Tensor scaled(Tensor rows) {
    if (scale == 1) {
      return rows;
    }
    return rows.mul(Tensor.scalar(scale, weight().dtype()).to(rows.device()));
  }

  /** Returns what the rows are multiplied by. */
  public double scale() {
    return scale;
  }

  /** Returns the table [vocabulary, hidden]. */
  public Tensor weight() {
    return ownParameter(WEIGHT);
  }
}
