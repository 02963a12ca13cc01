package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.DecoderLayer;
import dev.panatune.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;

/** Adapter layers in a model. */
final class BottleneckAdapter implements Adapter {
  private final CausalLM model;
  private final BottleneckConfig config;
  private final List<Bottleneck> adapters = new ArrayList<>();
  private final SequencedMap<String, Tensor> parameters;

  private BottleneckAdapter(CausalLM model, BottleneckConfig config) {
    this.model = model;
    this.config = config;
    model.setTrainable(false);
    List<DecoderLayer> layers = model.layers();
    for (int i = 0; i < layers.size(); i++) {
      if (!config.leaveOut().contains(i)) {
        attach(layers.get(i), i);
      }
    }
    adapters.forEach(adapter -> adapter.setTrainable(true));
    parameters = new LinkedHashMap<>(model.trainableParameters());
  }

  private void attach(DecoderLayer layer, int index) {
    if (config.mhAdapter()) {
      layer.joinAttentionBy(place(index));
    }
    if (config.outputAdapter()) {
      layer.joinMlpBy(place(index));
    }
  }

  private BottleneckPlace place(int layer) {
    Bottleneck adapter = new Bottleneck(config, model.config().hiddenSize(), layer);
    adapters.add(adapter);
    return new BottleneckPlace(config.name(), adapter);
  }

  static BottleneckAdapter of(CausalLM model, BottleneckConfig config) {
    String family = model.config().modelType();
    if (!BottleneckFiles.CLASSES.containsKey(family)) {
      throw new ConfigurationException(
          "adapter layers are for models of type llama, mistral and gpt2, not " + family);
    }
    if (model.layers().stream().anyMatch(DecoderLayer::hasJoins)) {
      throw new ConfigurationException("the model has adapter layers already");
    }
    int layers = model.config().layerCount();
    if (IntStream.range(0, layers).allMatch(config.leaveOut()::contains)) {
      throw new ConfigurationException("leave_out leaves no layer of " + layers + " to adapt");
    }
    return new BottleneckAdapter(model, config);
  }

  @Override
  public BottleneckConfig config() {
    return config;
  }

  @Override
  public SequencedMap<String, Tensor> parameters() {
    return Collections.unmodifiableSequencedMap(parameters);
  }

  @Override
  public SequencedMap<String, Tensor> stateDict() {
    return new LinkedHashMap<>(parameters);
  }

  /** `adapters` has a first norm twice: by its name, and as the first of the sequence. */
  @Override
  public SequencedMap<String, Tensor> baseState() {
    SequencedMap<String, Tensor> again = new LinkedHashMap<>();
    parameters.forEach((name, tensor) -> {
      if (name.contains(".adapter_norm_before.")) {
        again.put(name.replace(".adapter_norm_before.", ".adapter_down.0."), tensor);
      }
    });
    return again;
  }

  @Override
  public void loadStateDict(Map<String, Tensor> tensors) {
    parameters.forEach((name, parameter) -> parameter.copy_(tensors.get(name)));
  }

  @Override
  public void write(Path directory, String baseModel) {
    BottleneckFiles.write(directory, config, model.config(), this);
  }

  @Override
  public Map<String, Tensor> read(Path directory) {
    return AdapterFiles.fitting(BottleneckFiles.weights(directory), stateDict(), baseState());
  }

  @Override
  public void setTraining(boolean training) {
    adapters.forEach(adapter -> adapter.setTraining(training));
  }

  @Override
  public void setEnabled(boolean enabled) {
    adapters.forEach(adapter -> adapter.setEnabled(enabled));
  }

  @Override
  public void freeze() {
    parameters.values().forEach(tensor -> tensor.requiresGrad(false));
  }

  @Override
  public MergeReport mergeAndUnload(MergeOptions options) {
    throw new ConfigurationException(
        "adapter layers cannot be merged: there is a non-linearity in them; keep them beside the"
            + " model");
  }
}
