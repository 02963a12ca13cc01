package dev.panatune.peft;

import dev.panatune.model.CausalLM;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.UnaryOperator;

/** LoRA in a model: low-rank updates beside linear layers, and what is trained whole with them. */
final class LoraAdapter implements Adapter {
  private final CausalLM model;
  private final LoraConfig config;
  private final SequencedMap<String, LoraLinear> layers = new LinkedHashMap<>();
  private final WholeParameters whole;
  private final SequencedMap<String, Tensor> parameters;

  private LoraAdapter(CausalLM model, LoraConfig config) {
    this.model = model;
    this.config = config;
    whole = new WholeParameters(model);
    SequencedMap<String, LinearLayer> targets =
        TargetLayers.find(
            model, config.targetModules(), Optional.empty(), config.modulesToSave(), "LoRA");
    List<Map.Entry<String, Module>> saved = WholeParameters.modules(model, config.modulesToSave());
    model.setTrainable(false);
    targets.forEach((path, target) -> {
      LoraLinear layer = LoraLinear.around(target, config);
      model.replaceChild(path, layer);
      layers.put(path, layer);
    });
    trainBiases();
    saved.forEach(whole::trainModule);
    layers.values().forEach(LoraLinear::markTrainable);
    parameters = new LinkedHashMap<>(model.trainableParameters());
  }

  static LoraAdapter of(CausalLM model, LoraConfig config) {
    return new LoraAdapter(model, config);
  }

  @Override
  public LoraConfig config() {
    return config;
  }

  @Override
  public SequencedMap<String, Tensor> parameters() {
    return Collections.unmodifiableSequencedMap(parameters);
  }

  @Override
  public SequencedMap<String, Tensor> stateDict() {
    return AdapterFiles.keysOf(parameters);
  }

  @Override
  public void loadStateDict(Map<String, Tensor> tensors) {
    stateDict().forEach((key, parameter) -> parameter.copy_(tensors.get(key)));
  }

  @Override
  public void setTraining(boolean training) {
    layers.values().forEach(layer -> layer.setTraining(training));
  }

  @Override
  public void setEnabled(boolean enabled) {
    layers.values().forEach(layer -> layer.setEnabled(enabled));
  }

  @Override
  public void freeze() {
    parameters.values().forEach(tensor -> tensor.requiresGrad(false));
    parameters.putAll(whole.castBack(UnaryOperator.identity()));
  }

  @Override
  public MergeReport mergeAndUnload(MergeOptions options) {
    return new Merge(model, layers, whole, options).run();
  }

  private void trainBiases() {
    model.namedParameters().keySet().stream()
        .filter(name -> name.equals("bias") || name.endsWith(".bias"))
        .filter(this::isTrainedBias)
        .forEach(whole::train);
  }

  private boolean isTrainedBias(String name) {
    return switch (config.bias()) {
      case NONE -> false;
      case ALL -> true;
      case LORA_ONLY ->
          layers.keySet().stream().anyMatch(path -> name.equals(path + ".base_layer.bias"));
    };
  }
}
