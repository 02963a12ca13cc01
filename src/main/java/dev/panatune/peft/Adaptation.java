package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Puts an adapter's trainable parts into a model, by PEFT's rules of matching. */
final class Adaptation {
  private final CausalLM model;
  private final LoraConfig config;
  private final Map<String, LoraLinear> layers = new LinkedHashMap<>();
  private final Map<String, DType> storedTypes = new LinkedHashMap<>();

  private Adaptation(CausalLM model, LoraConfig config) {
    this.model = model;
    this.config = config;
  }

  /**
   * Freezes the model and adds the adapter.
   *
   * @throws ConfigurationException if nothing matches, or a match cannot be adapted
   */
  static Adaptation of(CausalLM model, LoraConfig config) {
    Adaptation adaptation = new Adaptation(model, config);
    List<Map.Entry<String, Module>> targets = adaptation.targets();
    List<Map.Entry<String, Module>> saved = adaptation.savedModules();
    model.setTrainable(false);
    for (Map.Entry<String, Module> target : targets) {
      LoraLinear layer = LoraLinear.around((LinearLayer) target.getValue(), config);
      model.replaceChild(target.getKey(), layer);
      adaptation.layers.put(target.getKey(), layer);
    }
    adaptation.trainBiases();
    saved.forEach(adaptation::trainWhole);
    adaptation.layers.values().forEach(LoraLinear::markTrainable);
    return adaptation;
  }

  /** The adapted layers by path. */
  Map<String, LoraLinear> layers() {
    return layers;
  }

  /** The paths of parameters that are trained whole, with the types that they had in the model. */
  Map<String, DType> storedTypes() {
    return storedTypes;
  }

  private List<Map.Entry<String, Module>> targets() {
    List<Map.Entry<String, Module>> matched =
        model.namedModules().filter(entry -> isTarget(entry.getKey(), entry.getValue())).toList();
    for (Map.Entry<String, Module> entry : matched) {
      if (entry.getValue() instanceof LoraLinear) {
        throw new ConfigurationException(
            entry.getKey() + " has an adapter already; several on one model are not supported yet");
      }
      if (!(entry.getValue() instanceof LinearLayer)) {
        throw new ConfigurationException(
            "target_modules matches "
                + entry.getKey()
                + ", which is a "
                + entry.getValue().getClass().getSimpleName()
                + "; LoRA adapts linear layers: "
                + String.join(", ", linearNames()));
      }
    }
    if (matched.isEmpty()) {
      throw new ConfigurationException(
          "target_modules "
              + config.targetModules().toJson()
              + " matches no layer of this model; its linear layers are "
              + String.join(", ", linearNames()));
    }
    return matched;
  }

  private boolean isTarget(String path, Module module) {
    if (config.modulesToSave().stream().anyMatch(name -> isUnder(path, name))) {
      return false;
    }
    if (config.targetModules() instanceof TargetModules.AllLinear all) {
      return module instanceof LinearLayer && all.matches(path);
    }
    return config.targetModules().matches(path);
  }

  /** Whether the path names the module, or something inside of it. */
  private static boolean isUnder(String path, String name) {
    return Pattern.matches("(^|.*\\.)" + Pattern.quote(name) + "($|\\..*)", path);
  }

  private List<Map.Entry<String, Module>> savedModules() {
    for (String name : config.modulesToSave()) {
      if (model.namedModules().noneMatch(entry -> entry.getKey().endsWith(name))) {
        throw new ConfigurationException("modules_to_save: the model has no module " + name);
      }
    }
    return model
        .namedModules()
        .filter(entry -> config.modulesToSave().stream().anyMatch(entry.getKey()::endsWith))
        .toList();
  }

  private void trainWhole(Map.Entry<String, Module> entry) {
    Map<String, Tensor> parameters = entry.getValue().namedParameters();
    if (parameters.isEmpty()) {
      throw new ConfigurationException(
          "modules_to_save: "
              + entry.getKey()
              + " has no weights of its own to train; a quantised layer cannot be trained whole");
    }
    parameters.keySet().forEach(name -> train(entry.getKey() + "." + name));
  }

  private void trainBiases() {
    model.namedParameters().keySet().stream()
        .filter(name -> name.equals("bias") || name.endsWith(".bias"))
        .filter(this::isTrainedBias)
        .forEach(this::train);
  }

  private boolean isTrainedBias(String name) {
    return switch (config.bias()) {
      case NONE -> false;
      case ALL -> true;
      case LORA_ONLY ->
          layers.keySet().stream().anyMatch(path -> name.equals(path + ".base_layer.bias"));
    };
  }

  /** A float32 master takes the parameter's place. */
  private void train(String path) {
    if (storedTypes.containsKey(path)) {
      return;
    }
    try (TensorScope _ = TensorScope.open()) {
      Tensor stored = model.parameter(path);
      storedTypes.put(path, stored.dtype());
      Tensor master = stored.detach().to(DType.FLOAT32).clone().keep();
      model.swapParameter(path, master.requiresGrad(true));
      if (!isInUse(stored)) {
        stored.close();
      }
    }
  }

  /** A tied tensor has another name yet. */
  private boolean isInUse(Tensor tensor) {
    return model
        .namedModules()
        .anyMatch(entry -> entry.getValue().parameters().containsValue(tensor));
  }

  private TreeSet<String> linearNames() {
    TreeSet<String> names = new TreeSet<>();
    model
        .namedModules()
        .filter(entry -> entry.getValue() instanceof LinearLayer)
        .forEach(entry -> names.add(entry.getKey().substring(entry.getKey().lastIndexOf('.') + 1)));
    return names;
  }
}
