package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/** (IA)³ in a model: vectors at linear layers, and what is trained whole with them. */
final class Ia3Adapter implements SwitchableAdapter, MergeableAdapter {
  private final CausalLM model;
  private final Ia3Config config;
  private final SequencedMap<String, Ia3Linear> layers = new LinkedHashMap<>();
  private final WholeParameters whole = new WholeParameters();
  private final SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
  private final Participation participation = new Participation(whole, parameters);

  private Ia3Adapter(CausalLM model, Ia3Config config) {
    this.model = model;
    this.config = config;
    SequencedMap<String, LinearLayer> targets =
        TargetLayers.find(
            model,
            config.targetModules().orElseThrow(),
            config.excludeModules(),
            config.modulesToSave(),
            "IA3");
    List<Map.Entry<String, Module>> saved = WholeParameters.modules(model, config.modulesToSave());
    targets.forEach(this::checkSide);
    targets.forEach((path, target) -> {
      Ia3Linear layer = new Ia3Linear(target, config.isFeedforward(path), config.initIa3Weights());
      model.replaceChild(path, layer);
      layers.put(path, layer);
    });
    saved.forEach(whole::trainModule);
    layers.forEach((path, layer) ->
        layer.tensors().forEach((name, tensor) -> parameters.put(path + "." + name, tensor)));
    parameters.values().forEach(tensor -> tensor.requiresGrad(true));
    parameters.putAll(whole.masters());
  }

  /** In PEFT one layer has the vectors of all adapters, which scale its input or its output. */
  private void checkSide(String path, LinearLayer target) {
    LinearLayer layer = target;
    while (layer instanceof Ia3Linear other) {
      if (other.isFeedforward() != config.isFeedforward(path)) {
        throw new ConfigurationException(
            ("feedforward_modules: another adapter scales the %s of %s, and this one its %s; as in"
                    + " PEFT all adapters on a layer scale the same")
                .formatted(side(other.isFeedforward()), path, side(config.isFeedforward(path))));
      }
      layer = other.base();
    }
  }

  private static String side(boolean feedforward) {
    return feedforward ? "input" : "output";
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
    participation.setAttached(enabled);
    setBypassed(!enabled);
  }

  @Override
  public void setBypassed(boolean bypassed) {
    layers.values().forEach(layer -> layer.setEnabled(participation.isAttached() && !bypassed));
  }

  @Override
  public SequencedMap<String, Ia3Linear> layers() {
    return Collections.unmodifiableSequencedMap(layers);
  }

  @Override
  public WholeParameters whole() {
    return whole;
  }

  @Override
  public Set<String> replaced() {
    return whole.masters().keySet();
  }

  @Override
  public void remove() {
    whole.remove();
    OriginalModules.remove(model, layers);
    parameters.clear();
  }

  @Override
  public void freeze() {
    participation.freeze();
  }

  @Override
  public MergeReport mergeAndUnload(MergeOptions options) {
    return new Merge(model, List.of(layers), List.of(whole), options).run();
  }
}
