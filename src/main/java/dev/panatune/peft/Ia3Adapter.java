package dev.panatune.peft;

import dev.panatune.model.CausalLM;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.UnaryOperator;

/** (IA)³ in a model: vectors at linear layers, and what is trained whole with them. */
final class Ia3Adapter implements MergeableAdapter {
  private final CausalLM model;
  private final Ia3Config config;
  private final SequencedMap<String, Ia3Linear> layers = new LinkedHashMap<>();
  private final WholeParameters whole;
  private final SequencedMap<String, Tensor> parameters;
  private boolean enabled = true;

  private Ia3Adapter(CausalLM model, Ia3Config config) {
    this.model = model;
    this.config = config;
    whole = new WholeParameters();
    SequencedMap<String, LinearLayer> targets =
        TargetLayers.find(
            model,
            config.targetModules().orElseThrow(),
            config.excludeModules(),
            config.modulesToSave(),
            "IA3");
    List<Map.Entry<String, Module>> saved = WholeParameters.modules(model, config.modulesToSave());
    model.setTrainable(false);
    targets.forEach((path, target) -> {
      Ia3Linear layer = new Ia3Linear(target, config.isFeedforward(path), config.initIa3Weights());
      model.replaceChild(path, layer);
      layers.put(path, layer);
    });
    saved.forEach(whole::trainModule);
    layers.values().forEach(Ia3Linear::markTrainable);
    parameters = new LinkedHashMap<>(model.trainableParameters());
  }

  static Ia3Adapter of(CausalLM model, Ia3Config config) {
    return new Ia3Adapter(model, config.resolved(model.config().modelType()));
  }

  @Override
  public Ia3Config config() {
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

  /** Nothing of it is different in training. */
  @Override
  public void setTraining(boolean training) {}

  @Override
  public void setEnabled(boolean enabled) {
    if (enabled != this.enabled) {
      this.enabled = enabled;
      if (enabled) {
        whole.attach();
      } else {
        whole.detach();
      }
    }
    setBypassed(!enabled);
  }

  @Override
  public void setBypassed(boolean bypassed) {
    layers.values().forEach(layer -> layer.setEnabled(enabled && !bypassed));
  }

  @Override
  public SequencedMap<String, Ia3Linear> layers() {
    return Collections.unmodifiableSequencedMap(layers);
  }

  @Override
  public void freeze() {
    parameters.values().forEach(tensor -> tensor.requiresGrad(false));
    parameters.putAll(whole.castBack(UnaryOperator.identity()));
  }

  @Override
  public MergeReport mergeAndUnload(MergeOptions options) {
    return new Merge(model, List.of(layers), List.of(whole), options).run();
  }
}
