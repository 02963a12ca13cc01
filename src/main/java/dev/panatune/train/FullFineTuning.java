package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ModelSaver;
import dev.panatune.nn.Conv1D;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Trains weights of the model itself, all of them or some, as float32 masters. What is frozen stays
 * as it is stored: it has no master, no gradient and no moments. A checkpoint is a Hugging Face
 * directory of the whole model.
 */
public final class FullFineTuning implements TrainableModel {
  private final CausalLM model;
  private final Consumer<Path> saver;
  private final SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();

  /** Trains everything; see {@link #FullFineTuning(CausalLM, TrainedParameters, Consumer)}. */
  public FullFineTuning(CausalLM model, Consumer<Path> saver) {
    this(model, TrainedParameters.ALL, saver);
  }

  /**
   * Turns the weights to train into float32 (those of another type are freed) and makes them, and
   * no others, trainable.
   *
   * @param trained which weights
   * @param saver writes the model as it is, what is trained in float32, into a directory
   * @throws ConfigurationException if a pattern fits nothing, a weight to train is quantised, or
   *     the model has an adapter
   */
  public FullFineTuning(CausalLM model, TrainedParameters trained, Consumer<Path> saver) {
    this.model = model;
    this.saver = saver;
    refuseAdapted(model);
    Set<String> chosen = trained.of(model);
    refusePacked(model, chosen);
    model.setTrainable(false);
    for (Map.Entry<String, Tensor> entry : model.namedParameters().entrySet()) {
      if (chosen.contains(entry.getKey()) && entry.getValue().dtype().isFloatingPoint()) {
        widen(entry.getKey(), entry.getValue());
        parameters.put(entry.getKey(), model.parameter(entry.getKey()).requiresGrad(true));
      }
    }
  }

  @Override
  public CausalLM model() {
    return model;
  }

  @Override
  public SequencedMap<String, Tensor> trainableParameters() {
    return parameters;
  }

  @Override
  public void setTraining(boolean training) {
    model.setTraining(training);
  }

  @Override
  public void save(Path directory) {
    saver.accept(directory);
  }

  /** Copies what is trained; what is frozen is the model's already. */
  @Override
  public void load(Path directory) {
    SequencedMap<String, Tensor> trained = new LinkedHashMap<>();
    parameters.forEach(
        (name, tensor) -> trained.put(ModelSaver.storedName(model.config(), name), tensor));
    Set<String> whole =
        model.namedParameters().keySet().stream()
            .map(name -> ModelSaver.storedName(model.config(), name))
            .collect(Collectors.toSet());
    StoredTensors.copy(SafetensorsIndex.open(directory), trained, whole);
  }

  private void widen(String name, Tensor weight) {
    if (weight.dtype() != DType.FLOAT32) {
      try (TensorScope _ = TensorScope.open();
          GradMode _ = GradMode.disable()) {
        model.replaceParameter(name, weight.to(DType.FLOAT32).keep());
      }
      weight.close();
    }
  }

  /** Whether a module's weight is in a packed form, which is not trained. */
  static boolean isPacked(Module module) {
    return module instanceof QuantizedLinear;
  }

  private static void refuseAdapted(CausalLM model) {
    model
        .namedModules()
        .filter(entry -> entry.getValue() instanceof LinearLayer)
        .filter(entry ->
            !(entry.getValue() instanceof Linear
                || entry.getValue() instanceof Conv1D
                || isPacked(entry.getValue())))
        .findFirst()
        .ifPresent(entry -> {
          throw notTrained(entry.getKey(), entry.getValue());
        });
  }

  private static void refusePacked(CausalLM model, Set<String> chosen) {
    chosen.stream()
        .filter(name -> name.endsWith(".weight"))
        .map(name -> name.substring(0, name.lastIndexOf('.')))
        .filter(path -> isPacked(model.child(path)))
        .findFirst()
        .ifPresent(path -> {
          throw notTrained(path, model.child(path));
        });
  }

  private static ConfigurationException notTrained(String path, Module module) {
    return new ConfigurationException(
        "%s: %s cannot be trained whole, only dense layers can: add a peft section to train an"
                .formatted(path, module.getClass().getSimpleName())
            + " adapter, load the model without load_in_4bit, or freeze such layers");
  }
}
