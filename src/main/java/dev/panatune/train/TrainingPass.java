package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.Batch;
import dev.panatune.model.CausalLM;

/** The forward and the backward pass of a micro-batch. */
interface TrainingPass {
  /**
   * Adds the gradients of the batch's summed loss, times {@code factor}, to the leaves. Of a loss
   * that is NaN or infinite no gradients are computed.
   */
  MicroBatchLoss run(Batch batch, double factor);

  /**
   * Returns the pass that the arguments ask for.
   *
   * @throws ConfigurationException if the model wants dropout on its attention weights
   */
  static TrainingPass of(CausalLM model, TrainingArguments arguments) {
    if (model.config().attentionDropout() != 0) {
      throw new ConfigurationException(
          "config.json: attention_dropout is %s; training with it is not supported, set it to 0"
              .formatted(model.config().attentionDropout()));
    }
    Computation computation = new Computation(model.device().kind(), arguments.precision());
    return arguments.gradientCheckpointing()
        ? new CheckpointedPass(model, computation)
        : new PlainPass(model, computation);
  }
}
