package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.Batch;
import dev.panatune.model.CausalLM;
import dev.panatune.model.Dropouts;

/** The forward and the backward pass of a micro-batch. */
interface TrainingPass {
  /** What is run. */
  CausalLM model();

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
    Dropouts dropouts = model.config().dropouts();
    if (!dropouts.equals(new Dropouts(0, 0, 0))) {
      throw new ConfigurationException(
          "config.json asks for %s; training with it is not supported, set all to 0"
              .formatted(dropouts));
    }
    Computation computation = new Computation(model.device().kind(), arguments.precision());
    return arguments.gradientCheckpointing()
        ? new CheckpointedPass(model, computation)
        : new PlainPass(model, computation);
  }
}
