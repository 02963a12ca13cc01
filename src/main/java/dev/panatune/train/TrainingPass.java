package dev.panatune.train;

import dev.panatune.model.Batch;
import dev.panatune.model.CausalLM;

/** The forward and the backward pass of a micro-batch. */
interface TrainingPass {
  /** What is run. */
  CausalLM model();

  /**
   * Adds the gradients of the batch's summed loss, times {@code factor}, to the leaves. Of a loss
   * that is NaN or infinite no gradients are computed.
   */
  MicroBatchLoss run(Batch batch, double factor);

  /** Returns the pass that the arguments ask for. */
  static TrainingPass of(CausalLM model, TrainingArguments arguments) {
    Computation computation = new Computation(model.device().kind(), arguments.precision());
    return arguments.gradientCheckpointing()
        ? new CheckpointedPass(model, computation)
        : new PlainPass(model, computation);
  }
}
