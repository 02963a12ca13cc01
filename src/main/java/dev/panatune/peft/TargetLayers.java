package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Finds the modules that options name, by PEFT's rules of matching. */
final class TargetLayers {
  private TargetLayers() {}

  /**
   * The linear layers that match, by path.
   *
   * @param exclude what is not adapted although it matches
   * @param modulesToSave names of modules that are trained whole, and so not adapted
   * @param method the method's name in messages
   * @throws ConfigurationException if nothing matches, or a match is no linear layer or has an
   *     adapter already
   */
  static SequencedMap<String, LinearLayer> find(
      CausalLM model,
      TargetModules targets,
      Optional<TargetModules> exclude,
      List<String> modulesToSave,
      String method) {
    SequencedMap<String, LinearLayer> found = new LinkedHashMap<>();
    model
        .namedModules()
        .filter(entry -> exclude.stream().noneMatch(out -> out.matches(entry.getKey())))
        .filter(entry -> isTarget(entry.getKey(), entry.getValue(), targets, modulesToSave))
        .forEach(entry ->
            found.put(entry.getKey(), adaptable(model, entry.getKey(), entry.getValue(), method)));
    if (found.isEmpty()) {
      throw new ConfigurationException(
          "target_modules "
              + targets.toJson()
              + " matches no layer of this model; its linear layers are "
              + String.join(", ", linearNames(model)));
    }
    return found;
  }

  private static LinearLayer adaptable(CausalLM model, String path, Module module, String method) {
    if (module instanceof AdaptedLinear) {
      throw new ConfigurationException(
          path + " has an adapter already; several on one model are not supported yet");
    }
    if (module instanceof LinearLayer linear) {
      return linear;
    }
    throw new ConfigurationException(
        "target_modules matches %s, which is a %s; %s adapts linear layers: %s"
            .formatted(
                path,
                module.getClass().getSimpleName(),
                method,
                String.join(", ", linearNames(model))));
  }

  private static boolean isTarget(
      String path, Module module, TargetModules targets, List<String> modulesToSave) {
    if (modulesToSave.stream().anyMatch(name -> isUnder(path, name))) {
      return false;
    }
    if (targets instanceof TargetModules.AllLinear all) {
      return module instanceof LinearLayer && all.matches(path);
    }
    return targets.matches(path);
  }

  /** Whether the path names the module, or something inside of it. */
  private static boolean isUnder(String path, String name) {
    return Pattern.matches("(^|.*\\.)" + Pattern.quote(name) + "($|\\..*)", path);
  }

  private static TreeSet<String> linearNames(CausalLM model) {
    TreeSet<String> names = new TreeSet<>();
    for (Map.Entry<String, Module> entry : model.namedModules().toList()) {
      if (entry.getValue() instanceof LinearLayer) {
        names.add(entry.getKey().substring(entry.getKey().lastIndexOf('.') + 1));
      }
    }
    return names;
  }
}
