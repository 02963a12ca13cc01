package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeSet;

/** Finds the modules that options name, by PEFT's rules of matching. */
final class TargetLayers {
  private TargetLayers() {}

  /**
   * The linear layers that match, by path, as they are now.
   *
   * @param exclude what is not adapted although it matches
   * @param modulesToSave names of modules that are trained whole, and so not adapted
   * @param method the method's name in messages
   * @throws ConfigurationException if nothing matches, or a match is no linear layer
   */
  static SequencedMap<String, LinearLayer> find(
      CausalLM model,
      TargetModules targets,
      Optional<TargetModules> exclude,
      List<String> modulesToSave,
      String method) {
    SequencedMap<String, LinearLayer> found = new LinkedHashMap<>();
    select(model, new TargetSelection(targets, exclude, LayerNumbers.ALL, modulesToSave))
        .forEach((path, place) -> found.put(path, linear(model, path, place.outer(), method)));
    return found;
  }

  /**
   * The modules that a selection takes, by the paths that they have without adapters.
   *
   * @throws ConfigurationException if it takes none
   */
  static SequencedMap<String, OriginalModules.Place> select(
      CausalLM model, TargetSelection selection) {
    SequencedMap<String, OriginalModules.Place> found = OriginalModules.of(model);
    found.remove("");
    found
        .entrySet()
        .removeIf(entry -> !selection.matches(entry.getKey(), entry.getValue().inner()));
    if (found.isEmpty()) {
      throw new ConfigurationException(
          "target_modules "
              + selection.targets().toJson()
              + " matches no layer of this model that is not excluded; its linear layers are "
              + String.join(", ", linearNames(model)));
    }
    return found;
  }

  /** A module that a method of linear layers can adapt; else what it says of it. */
  private static LinearLayer linear(CausalLM model, String path, Module module, String method) {
    if (module instanceof LinearLayer linear) {
      return linear;
    }
    throw new ConfigurationException(
        "target_modules matches %s, which is a %s; %s adapts linear layers: %s"
            .formatted(
                path,
                OriginalModules.inner(module).getClass().getSimpleName(),
                method,
                String.join(", ", linearNames(model))));
  }

  /** The last parts of the linear layers' paths. */
  static TreeSet<String> linearNames(CausalLM model) {
    TreeSet<String> names = new TreeSet<>();
    OriginalModules.of(model)
        .forEach((path, place) -> {
          if (place.inner() instanceof LinearLayer) {
            names.add(path.substring(path.lastIndexOf('.') + 1));
          }
        });
    return names;
  }
}
