package dev.panatune.peft;

import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Which modules a method adapts, by all of PEFT's rules.
 *
 * @param targets those that are wanted
 * @param exclude those that are not, though they are wanted
 * @param layers the decoder layers that names are limited to; a name that is a module's whole path
 *     counts in any case
 * @param modulesToSave names of modules that are trained whole, and so not adapted
 */
record TargetSelection(
    TargetModules targets,
    Optional<TargetModules> exclude,
    LayerNumbers layers,
    List<String> modulesToSave) {
  TargetSelection {
    modulesToSave = List.copyOf(modulesToSave);
  }

  /** Whether the module at a path is adapted. */
  boolean matches(String path, Module module) {
    if (exclude.filter(unwanted -> unwanted.matches(path)).isPresent()
        || modulesToSave.stream().anyMatch(name -> isUnder(path, name))) {
      return false;
    }
    return switch (targets) {
      case TargetModules.AllLinear all -> module instanceof LinearLayer && all.matches(path);
      case TargetModules.Names names ->
          names.names().contains(path) || (names.matches(path) && layers.contain(path));
      case TargetModules.Regex regex -> regex.matches(path);
    };
  }

  /** Whether the path names the module, or something inside of it. */
  private static boolean isUnder(String path, String name) {
    return Pattern.matches("(^|.*\\.)" + Pattern.quote(name) + "($|\\..*)", path);
  }
}
