package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.model.CausalLM;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * A model with a LoRA adapter in it. The model stays the caller's and runs as before, now with the
 * adapter; all but the adapter is frozen.
 */
public final class PeftModel {
  private final CausalLM model;
  private final LoraConfig config;
  private final Adaptation adaptation;
  private final SequencedMap<String, Tensor> parameters;
  private boolean unloaded;

  private PeftModel(CausalLM model, LoraConfig config) {
    this.model = model;
    this.config = config;
    adaptation = Adaptation.of(model, config);
    parameters = new LinkedHashMap<>(model.trainableParameters());
  }

  /**
   * Adds a fresh adapter, which changes nothing until it is trained. Its weights are drawn from the
   * default generator.
   *
   * @throws ConfigurationException if nothing matches {@code target_modules}, or a match cannot be
   *     adapted
   */
  public static PeftModel create(CausalLM model, LoraConfig config) {
    return new PeftModel(model, config);
  }

  /**
   * Adds a saved adapter.
   *
   * @param directory holds {@code adapter_config.json} and {@code adapter_model.safetensors}
   * @param trainable whether it is going to be trained on; otherwise it is frozen too
   * @throws FormatException if the files are broken, or made for another base: names and shapes are
   *     in the message
   * @throws ConfigurationException if the adapter needs what is not supported yet
   */
  public static PeftModel load(CausalLM model, Path directory, boolean trainable) {
    PeftModel adapted = new PeftModel(model, AdapterFiles.readConfig(directory));
    adapted.readParameters(directory);
    if (!trainable) {
      adapted.freeze();
    }
    return adapted;
  }

  /** The model, with the adapter in it until it is unloaded. */
  public CausalLM model() {
    return model;
  }

  public LoraConfig config() {
    return config;
  }

  /**
   * The adapter's parameters by name, float32, always in the same order: A and B of each layer, and
   * the biases and whole modules that are trained with them.
   */
  public SequencedMap<String, Tensor> parameters() {
    return Collections.unmodifiableSequencedMap(parameters);
  }

  /** Switches dropout on or off. */
  public void setTraining(boolean training) {
    adaptation.layers().values().forEach(layer -> layer.setTraining(training));
  }

  /** Lets the low-rank updates take part, or not. */
  public void setEnabled(boolean enabled) {
    adaptation.layers().values().forEach(layer -> layer.setEnabled(enabled));
  }

  /**
   * Writes the adapter as PEFT does.
   *
   * @param directory is there; files of the same names are replaced
   * @param baseModel what to tell as {@code base_model_name_or_path}, or null
   */
  public void save(Path directory, String baseModel) {
    checkLoaded();
    AdapterFiles.write(directory, config, baseModel, parameters);
  }

  /**
   * Copies a saved adapter of the same configuration into the parameters.
   *
   * @throws FormatException if a tensor is missing, unknown, or of another shape
   */
  public void readParameters(Path directory) {
    checkLoaded();
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      AdapterFiles.readTensors(directory, parameters)
          .forEach((name, tensor) -> parameters.get(name).copy_(tensor));
    }
  }

  /**
   * Adds the update to the weights and takes the adapter out: what is left in {@link #model} is a
   * plain model. Of a 4-bit base it is one of dense weights, or a 4-bit one again, as asked.
   *
   * @return how far the weights are from the exact sum, layer by layer
   * @throws ConfigurationException if the adapter's head cannot be merged because the model ties it
   *     to the embeddings
   */
  public MergeReport mergeAndUnload(MergeOptions options) {
    checkLoaded();
    unloaded = true;
    return new Merge(model, adaptation, options).run();
  }

  /** What is only used takes the types of the model around it. */
  private void freeze() {
    parameters.values().forEach(tensor -> tensor.requiresGrad(false));
    adaptation
        .storedTypes()
        .forEach((path, dtype) -> {
          try (TensorScope _ = TensorScope.open();
              Tensor master = parameters.get(path)) {
            Tensor cast = master.to(dtype).keep();
            model.swapParameter(path, cast);
            parameters.put(path, cast);
          }
        });
  }

  private void checkLoaded() {
    if (unloaded) {
      throw new ConfigurationException("the adapter was merged and taken out of the model");
    }
  }
}
