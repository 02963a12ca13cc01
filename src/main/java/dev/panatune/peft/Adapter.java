package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/**
 * One method's adapter in a model: what {@link PeftModel} needs of it, whichever the method is.
 *
 * <p>Making one freezes the model and puts the trainable parts into it.
 */
interface Adapter {
  /**
   * Makes the adapter of a configuration, freshly initialised.
   *
   * @param origin where its values come from
   * @throws ConfigurationException if it does not fit the model
   */
  static Adapter of(CausalLM model, PeftConfig config, AdapterOrigin origin) {
    return switch (config) {
      case LoraConfig lora -> LoraAdapter.of(model, lora);
      case Ia3Config ia3 -> Ia3Adapter.of(model, ia3);
      case PromptTuningConfig prompt -> PromptTuningAdapter.of(model, prompt, origin);
      case PrefixTuningConfig prefix -> PrefixTuningAdapter.of(model, prefix, origin);
      case BottleneckConfig bottleneck -> BottleneckAdapter.of(model, bottleneck);
    };
  }

  /** What it was made from. */
  PeftConfig config();

  /** The options of its file. */
  default Map<String, Object> fileOptions() {
    return config().toMap();
  }

  /** What is trained, by name, float32, always in the same order. */
  SequencedMap<String, Tensor> parameters();

  /** What its file holds, under the file's names; live tensors where the file holds parameters. */
  SequencedMap<String, Tensor> stateDict();

  /** Tensors of the base that the file holds besides, and that it may lack when it is read. */
  default SequencedMap<String, Tensor> baseState() {
    return new LinkedHashMap<>();
  }

  /**
   * What training needs to go on and the method's file does not hold: live tensors, by name; empty
   * where the file holds all.
   */
  default SequencedMap<String, Tensor> trainingState() {
    return new LinkedHashMap<>();
  }

  /**
   * Copies what a file held into the parameters.
   *
   * @param tensors under the names of {@link #stateDict} and {@link #baseState}, of the same shapes
   */
  void loadStateDict(Map<String, Tensor> tensors);

  /**
   * Writes its files.
   *
   * @param baseModel what to tell of the base's origin, or null
   */
  default void write(Path directory, String baseModel) {
    SequencedMap<String, Tensor> tensors = stateDict();
    tensors.putAll(baseState());
    AdapterFiles.write(directory, fileOptions(), baseModel, tensors);
    AdapterFiles.writeTrainingState(directory, trainingState());
  }

  /** Reads what {@link #loadStateDict} takes; in the innermost scope. */
  default Map<String, Tensor> read(Path directory) {
    return AdapterFiles.readTensors(directory, stateDict(), baseState());
  }

  /** Switches dropout on or off. */
  void setTraining(boolean training);

  /** Lets it take part, or not. */
  void setEnabled(boolean enabled);

  /** Ends training: nothing requires a gradient, and what was held as a master is cast back. */
  void freeze();

  /**
   * Makes it part of the weights and takes it out of the model.
   *
   * @throws ConfigurationException if the method has nothing that could become part of weights
   */
  MergeReport mergeAndUnload(MergeOptions options);
}
