package dev.panatune.model;

import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/**
 * The head and the cross-entropy in one, over chunks of rows, so that the logits never exist.
 *
 * @param head from [N, hidden] to [N, vocabulary]
 * @param rule what becomes of its output
 */
record HeadLoss(LinearLayer head, LogitRule rule) {
  private static final Op LINEAR_CROSS_ENTROPY = Op.find("panatune::linear_cross_entropy", "");
  private static final long CHUNK_ROWS = 512;

  /**
   * Sums the loss of each row against its target.
   *
   * @param hidden [N, hidden], at least one row
   * @param targets int64 [N]
   */
  LossSums of(Tensor hidden, Tensor targets) {
    if (head instanceof Linear dense && dense.bias().isEmpty()) {
      DType dtype = dense.weight().dtype();
      boolean same = hidden.dtype() == dtype || Autocast.isEnabled(hidden.device().kind());
      Tensor[] sums =
          LINEAR_CROSS_ENTROPY.callAll(
              same ? hidden : hidden.to(dtype),
              dense.weight(),
              targets,
              CHUNK_ROWS,
              rule.scale(),
              rule.softCap().orElse(0));
      return new LossSums(sums[0], sums[1]);
    }
    try (TensorScope scope = TensorScope.open()) {
      long rows = hidden.size(0);
      Tensor loss = Tensor.zeros(DType.FLOAT32).to(hidden.device());
      Tensor correct = Tensor.zeros(DType.INT64).to(hidden.device());
      for (long start = 0; start < rows; start += CHUNK_ROWS) {
        long count = Math.min(CHUNK_ROWS, rows - start);
        LossSums chunk = chunk(hidden.narrow(0, start, count), targets.narrow(0, start, count));
        loss = loss.add(chunk.loss());
        correct = correct.add(chunk.correct());
      }
      return new LossSums(scope.moveToOuter(loss), scope.moveToOuter(correct));
    }
  }

  /** A head that an adapter wraps, a quantised one, or one with a bias: in plain operations. */
  private LossSums chunk(Tensor hidden, Tensor targets) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor logits = rule.apply(head.forward(hidden)).to(DType.FLOAT32);
      Tensor likelihood = logits.logSoftmax(-1).gather(-1, targets.unsqueeze(-1));
      Tensor loss = likelihood.sum().neg();
      try (var _ = GradMode.disable()) {
        Tensor correct = logits.argmax(-1).eq(targets).sum();
        return new LossSums(scope.moveToOuter(loss), scope.moveToOuter(correct));
      }
    }
  }
}
