package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Module;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.UnaryOperator;

/**
 * Parameters of the model itself that are trained beside an adapter: biases, and whole modules. A
 * float32 master is in the model in place of each.
 */
final class WholeParameters {
  private final CausalLM model;
  private final SequencedMap<String, DType> storedTypes = new LinkedHashMap<>();

  WholeParameters(CausalLM model) {
    this.model = model;
  }

  /**
   * The modules that {@code modules_to_save} names, as paths end in them.
   *
   * @throws ConfigurationException if a name fits no module
   */
  static List<Map.Entry<String, Module>> modules(CausalLM model, List<String> modulesToSave) {
    for (String name : modulesToSave) {
      if (model.namedModules().noneMatch(entry -> entry.getKey().endsWith(name))) {
        throw new ConfigurationException("modules_to_save: the model has no module " + name);
      }
    }
    return model
        .namedModules()
        .filter(entry -> modulesToSave.stream().anyMatch(entry.getKey()::endsWith))
        .toList();
  }

  /** Trains all parameters of a module. */
  void trainModule(Map.Entry<String, Module> entry) {
    Map<String, Tensor> parameters = entry.getValue().namedParameters();
    if (parameters.isEmpty()) {
      throw new ConfigurationException(
          "modules_to_save: "
              + entry.getKey()
              + " has no weights of its own to train; a quantised layer cannot be trained whole");
    }
    parameters.keySet().forEach(name -> train(entry.getKey() + "." + name));
  }

  /** Trains one parameter: a float32 master takes its place. */
  void train(String path) {
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

  /** The masters by path. */
  SequencedMap<String, Tensor> masters() {
    SequencedMap<String, Tensor> masters = new LinkedHashMap<>();
    storedTypes.keySet().forEach(path -> masters.put(path, model.parameter(path)));
    return masters;
  }

  /**
   * Puts every master into the model in the type that the parameter had.
   *
   * @param choice from that type to the one to use
   * @return the new tensors by path
   */
  Map<String, Tensor> castBack(UnaryOperator<DType> choice) {
    Map<String, Tensor> cast = new LinkedHashMap<>();
    storedTypes.forEach((path, stored) -> {
      try (TensorScope _ = TensorScope.open();
          Tensor master = model.parameter(path)) {
        Tensor tensor = master.detach().to(choice.apply(stored)).keep();
        model.swapParameter(path, tensor);
        cast.put(path, tensor);
      }
    });
    return cast;
  }

  /** A tied tensor has another name yet. */
  private boolean isInUse(Tensor tensor) {
    return model
        .namedModules()
        .anyMatch(entry -> entry.getValue().parameters().containsValue(tensor));
  }
}
