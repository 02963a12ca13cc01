package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.SequencedMap;

/**
 * A model with an adapter in it. The model stays the caller's and runs as before, now with the
 * adapter; all but the adapter is frozen.
 */
public final class PeftModel {
  private final CausalLM model;
  private final Adapter adapter;
  private boolean unloaded;

  private PeftModel(CausalLM model, PeftConfig config, AdapterOrigin origin) {
    this.model = model;
    adapter = Adapter.of(model, config, origin);
  }

  /**
   * Adds a fresh adapter, which changes nothing until it is trained. Its weights are drawn from the
   * default generator.
   *
   * @throws ConfigurationException if nothing matches {@code target_modules}, or a match cannot be
   *     adapted
   */
  public static PeftModel create(CausalLM model, PeftConfig config) {
    return new PeftModel(model, config, AdapterOrigin.FRESH);
  }

  /** The same, for a configuration that may need the model's tokenizer. */
  public static PeftModel create(PretrainedModel pretrained, PeftConfig config) {
    return new PeftModel(pretrained.model(), config, AdapterOrigin.freshOn(pretrained));
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
    PeftModel adapted =
        new PeftModel(model, AdapterFiles.readConfig(directory), AdapterOrigin.stored(trainable));
    adapted.readParameters(directory);
    if (!trainable) {
      adapted.adapter.freeze();
    }
    return adapted;
  }

  /** The model, with the adapter in it until it is unloaded. */
  public CausalLM model() {
    return model;
  }

  /** What the adapter is. */
  public PeftConfig config() {
    return adapter.config();
  }

  /**
   * The adapter's parameters by name, float32, always in the same order: those of the method, and
   * the biases and whole modules that are trained with them.
   */
  public SequencedMap<String, Tensor> parameters() {
    return adapter.parameters();
  }

  /** Switches dropout on or off. */
  public void setTraining(boolean training) {
    adapter.setTraining(training);
  }

  /** Lets the adapter take part, or not; what is trained whole stays as it is. */
  public void setEnabled(boolean enabled) {
    adapter.setEnabled(enabled);
  }

  /**
   * Writes the adapter as PEFT does.
   *
   * @param directory is there; files of the same names are replaced
   * @param baseModel what to tell as {@code base_model_name_or_path}, or null
   */
  public void save(Path directory, String baseModel) {
    checkLoaded();
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      SequencedMap<String, Tensor> tensors = adapter.stateDict();
      tensors.putAll(adapter.baseState());
      AdapterFiles.write(directory, adapter.fileOptions(), baseModel, tensors);
      AdapterFiles.writeTrainingState(directory, adapter.trainingState());
    }
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
      SequencedMap<String, Tensor> training = adapter.trainingState();
      if (!training.isEmpty()) {
        AdapterFiles.readTrainingState(directory, training)
            .forEach((name, tensor) -> training.get(name).copy_(tensor));
        return;
      }
      adapter.loadStateDict(
          AdapterFiles.readTensors(directory, adapter.stateDict(), adapter.baseState()));
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
    MergeReport report = adapter.mergeAndUnload(options);
    unloaded = true;
    return report;
  }

  private void checkLoaded() {
    if (unloaded) {
      throw new ConfigurationException("the adapter was merged and taken out of the model");
    }
  }
}
