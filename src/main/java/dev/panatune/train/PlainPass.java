package dev.panatune.train;

import dev.panatune.model.Batch;
import dev.panatune.model.CausalLM;
import dev.panatune.model.LossSums;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/** Keeps everything that the backward pass needs from the forward pass. */
record PlainPass(CausalLM model, Computation computation) implements TrainingPass {
  @Override
  public MicroBatchLoss run(Batch batch, double factor) {
    try (TensorScope _ = TensorScope.open()) {
      LossSums sums = computation.forward(() -> model.loss(batch));
      double loss = sums.loss().item();
      if (Double.isFinite(loss)) {
        Autograd.backward(sums.loss(), Tensor.scalar(factor, DType.FLOAT32));
      }
      return new MicroBatchLoss(loss, sums.correct().itemLong());
    }
  }
}
