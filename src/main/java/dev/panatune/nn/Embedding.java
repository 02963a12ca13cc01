package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** A table [vocabulary, hidden] of which ids [...] pick rows: [..., hidden]. */
public final class Embedding extends Module implements UnaryLayer {
  private static final String WEIGHT = "weight";

  /** Creates a layer over a table that it owns from now on. */
  public Embedding(Tensor weight) {
    addParameter(WEIGHT, weight);
  }

  /** Returns the rows of {@code ids} (int64), in the table's dtype. */
  @Override
  public Tensor forward(Tensor ids) {
    return Tensor.embedding(weight(), ids);
  }

  /** Returns the table [vocabulary, hidden]. */
  public Tensor weight() {
    return ownParameter(WEIGHT);
  }
}
