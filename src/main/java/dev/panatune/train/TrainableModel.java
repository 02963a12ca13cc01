package dev.panatune.train;

import dev.panatune.model.CausalLM;
import dev.panatune.tensor.Tensor;
import java.nio.file.Path;
import java.util.SequencedMap;

/**
 * A model and what of it is trained: the whole of it, or an adapter.
 *
 * <p>{@link FullFineTuning} and {@link AdapterTraining} are the two that there are; a program may
 * bring its own.
 */
public interface TrainableModel {
  /** The model to run, with the trained parameters in it. */
  CausalLM model();

  /**
   * What is trained, by name, always in the same order: float32 leaves that require gradients. They
   * are updated in place, and stay the model's own.
   */
  SequencedMap<String, Tensor> trainableParameters();

  /** Says whether the model is being trained (dropout) or used. */
  void setTraining(boolean training);

  /**
   * Writes the trained parameters, as the files that other tools load, into a directory.
   *
   * @param directory is there and empty
   */
  void save(Path directory);

  /**
   * Copies what {@link #save} wrote into the trained parameters.
   *
   * @throws dev.panatune.error.FormatException if a parameter is missing, or of another shape
   */
  void load(Path directory);
}
