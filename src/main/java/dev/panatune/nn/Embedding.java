package dev.panatune.nn;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.TensorException;
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

  /**
   * Returns the rows of {@code ids} (int64), times the scale, in the table's dtype.
   *
   * @throws ConfigurationException if an id has no row; it is looked for only once libtorch has
   *     found that there is one
   */
  @Override
  public Tensor forward(Tensor ids) {
    try {
      return scaled(Tensor.embedding(weight(), ids));
    } catch (TensorException e) {
      long rows = weight().size(0);
      for (long id : ids.toLongs()) {
        if (id < 0 || id >= rows) {
          throw new ConfigurationException(outside(id, rows), e);
        }
      }
      throw e;
    }
  }

  /** What to tell of an id that has no row in a table of so many. */
  public static String outside(long id, long rows) {
    return ("the token id %d is none of the vocabulary's: the embedding has %d rows, for the ids 0"
            + " to %d. Either the tokenizer is another model's, or tokens were added to it: take"
            + " the model's own, or give the model rows for them (resize_token_embeddings in"
            + " transformers)")
        .formatted(id, rows, rows - 1);
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
