package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Consumer;

/**
 * Trains all weights of a model, as float32 masters. A checkpoint is a Hugging Face directory of
 * them.
 */
public final class FullFineTuning implements TrainableModel {
  private final CausalLM model;
  private final Consumer<Path> saver;
  private final SequencedMap<String, Tensor> parameters;

  /**
   * Turns the model's weights into float32 (those of another type are freed) and makes them
   * trainable.
   *
   * @param saver writes the model as it is, in float32, into a directory
   * @throws ConfigurationException if a layer is quantised: its weights cannot be trained
   */
  public FullFineTuning(CausalLM model, Consumer<Path> saver) {
    this.model = model;
    this.saver = saver;
    refuseQuantized(model);
    for (Map.Entry<String, Tensor> entry : model.namedParameters().entrySet()) {
      widen(entry.getKey(), entry.getValue());
    }
    model.setTrainable(true);
    parameters = new LinkedHashMap<>(model.trainableParameters());
  }

  @Override
  public CausalLM model() {
    return model;
  }

  @Override
  public SequencedMap<String, Tensor> trainableParameters() {
    return parameters;
  }

  /** Does nothing: a model without an adapter has no dropout. */
  @Override
  public void setTraining(boolean training) {}

  @Override
  public void save(Path directory) {
    saver.accept(directory);
  }

  @Override
  public void load(Path directory) {
    StoredTensors.copy(SafetensorsIndex.open(directory), parameters);
  }

  private void widen(String name, Tensor weight) {
    if (weight.dtype().isFloatingPoint() && weight.dtype() != DType.FLOAT32) {
      try (TensorScope _ = TensorScope.open();
          GradMode _ = GradMode.disable()) {
        model.replaceParameter(name, weight.to(DType.FLOAT32).keep());
      }
      weight.close();
    }
  }

  private static void refuseQuantized(CausalLM model) {
    model
        .namedModules()
        .filter(e -> e.getValue() instanceof LinearLayer && !(e.getValue() instanceof Linear))
        .findFirst()
        .ifPresent(entry -> {
          throw new ConfigurationException(
              "%s: %s cannot be trained whole, only dense layers can: add a peft section to"
                      .formatted(entry.getKey(), entry.getValue().getClass().getSimpleName())
                  + " train an adapter, or load the model without load_in_4bit");
        });
  }
}
