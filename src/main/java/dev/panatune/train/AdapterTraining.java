package dev.panatune.train;

import dev.panatune.model.CausalLM;
import dev.panatune.peft.PeftModel;
import dev.panatune.tensor.Tensor;
import java.nio.file.Path;
import java.util.SequencedMap;

/**
 * Trains an adapter; the model under it stays as it is. A checkpoint loads as a PEFT adapter.
 *
 * @param adapter the adapter, in its model
 * @param baseModel what the adapter's files tell as {@code base_model_name_or_path}; null for
 *     nothing
 */
public record AdapterTraining(PeftModel adapter, String baseModel) implements TrainableModel {
  @Override
  public CausalLM model() {
    return adapter.model();
  }

  @Override
  public SequencedMap<String, Tensor> trainableParameters() {
    return adapter.parameters();
  }

  @Override
  public void setTraining(boolean training) {
    adapter.setTraining(training);
    adapter.model().setTraining(training);
  }

  @Override
  public void save(Path directory) {
    adapter.save(directory, baseModel);
  }

  @Override
  public void load(Path directory) {
    adapter.readParameters(directory);
  }
}
