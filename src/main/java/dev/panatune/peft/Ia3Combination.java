package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** IA3 adapters added up, as {@code IA3Model.add_weighted_adapter} of PEFT does it. */
final class Ia3Combination {
  private Ia3Combination() {}

  /** The first one's configuration, with the layers of all. */
  static Ia3Config config(List<Ia3Adapter> sources) {
    if (sources.stream().anyMatch(source -> !source.whole().isEmpty())) {
      throw new ConfigurationException(
          "adapters with modules_to_save cannot be combined: only vectors can");
    }
    List<Ia3Config> configs = sources.stream().map(Ia3Adapter::config).toList();
    Map<String, Object> options = new LinkedHashMap<>(configs.getFirst().toMap());
    options.put(
        "target_modules",
        CombinedTargets.of(
            configs.stream().map(Ia3Config::targetModules).toList(),
            sources.stream().map(source -> source.layers().keySet()).toList()));
    options.put(
        "feedforward_modules",
        CombinedTargets.of(
            configs.stream().map(Ia3Config::feedforwardModules).toList(),
            sources.stream().map(Ia3Combination::feedforward).toList()));
    return Ia3Config.fromMap(options);
  }

  private static Set<String> feedforward(Ia3Adapter source) {
    return source.layers().entrySet().stream()
        .filter(entry -> entry.getValue().isFeedforward())
        .map(Map.Entry::getKey)
        .collect(Collectors.toSet());
  }

  /** Fills the new vectors; where an adapter has none, it counts nothing, and not one. */
  static void fill(Ia3Adapter added, List<Ia3Adapter> sources, List<Double> weights) {
    try (GradMode _ = GradMode.disable();
        TensorScope _ = TensorScope.open()) {
      added
          .layers()
          .forEach((path, layer) -> {
            layer.vector().zero_();
            for (int i = 0; i < sources.size(); i++) {
              Ia3Linear source = sources.get(i).layers().get(path);
              if (source != null) {
                Tensor part = source.vector().mul(weights.get(i));
                layer.vector().copy_(layer.vector().add(part));
              }
            }
          });
    }
  }
}
