package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.function.BinaryOperator;

/** How an adapter takes part at the moment; all its layers look here. */
final class AdapterState {
  private static final Op INDEX_COPY = Op.find("aten::index_copy", "");

  private boolean training;
  private boolean enabled = true;
  private Rows rows;

  /**
   * Some rows of a batch.
   *
   * @param index which, int64
   * @param batch how many rows there are in all
   */
  record Rows(Tensor index, long batch) {}

  /** Whether dropout is applied. */
  boolean isTraining() {
    return training;
  }

  void setTraining(boolean training) {
    this.training = training;
  }

  void setEnabled(boolean enabled) {
    this.enabled = enabled;
  }

  /** Whether the adapter takes part in all rows of every batch. */
  boolean isWhole() {
    return enabled && rows == null;
  }

  /** Limits the adapter to some rows of the batches that come; null for all rows. */
  void setRows(Rows rows) {
    this.rows = rows;
  }

  /**
   * Computes a layer with the adapter where it takes part.
   *
   * @param update from the input and the base's result to the result with the adapter
   * @return in the innermost scope
   */
  Tensor forward(UnaryLayer base, Tensor input, BinaryOperator<Tensor> update) {
    if (!enabled || (rows != null && rows.index().numel() == 0)) {
      return base.forward(input);
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor result = base.forward(input);
      return scope.moveToOuter(
          rows == null ? update.apply(input, result) : onRows(input, result, update));
    }
  }

  private Tensor onRows(Tensor input, Tensor result, BinaryOperator<Tensor> update) {
    if (input.size(0) != rows.batch()) {
      throw new ConfigurationException(
          "adapters are chosen for %d rows, and the batch has %d"
              .formatted(rows.batch(), input.size(0)));
    }
    Tensor index = rows.index();
    Tensor updated = update.apply(input.indexSelect(0, index), result.indexSelect(0, index));
    return INDEX_COPY.call(result, 0, index, updated);
  }
}
