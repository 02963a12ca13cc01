package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A limit to some decoder layers, by PEFT's rules.
 *
 * @param layersToTransform their numbers; empty for all
 * @param layersPattern names of the lists that the numbers count in, as regular expressions; empty
 *     for the first number in a path
 */
record LayerNumbers(List<Integer> layersToTransform, List<String> layersPattern) {
  static final LayerNumbers ALL = new LayerNumbers(List.of(), List.of());

  private static final Pattern FIRST_NUMBER = Pattern.compile(".*?\\.[^.]*\\.(?<idx>\\d+)\\.");

  /**
   * @throws ConfigurationException if a name is no expression, or there is one without a number
   */
  LayerNumbers {
    layersToTransform = List.copyOf(layersToTransform);
    layersPattern = List.copyOf(layersPattern);
    if (layersToTransform.isEmpty() && !layersPattern.isEmpty()) {
      throw new ConfigurationException("layers_pattern needs layers_to_transform");
    }
    layersPattern.forEach(LayerNumbers::inList);
  }

  /**
   * Refuses targets that numbers do not go with.
   *
   * @throws ConfigurationException if they are an expression
   */
  void check(Optional<TargetModules> targets) {
    if (!layersToTransform.isEmpty()
        && targets.isPresent()
        && !(targets.get() instanceof TargetModules.Names)) {
      throw new ConfigurationException(
          "layers_to_transform goes with a list of target_modules, not with the expression "
              + targets.get().toJson());
    }
  }

  /** Whether a path is in one of the layers. */
  boolean contain(String path) {
    if (layersToTransform.isEmpty()) {
      return true;
    }
    if (layersPattern.isEmpty()) {
      return contain(FIRST_NUMBER.matcher(path));
    }
    return layersPattern.stream()
        .map(name -> inList(name).matcher(path))
        .filter(Matcher::lookingAt)
        .findFirst()
        .filter(this::contain)
        .isPresent();
  }

  private boolean contain(Matcher matcher) {
    return matcher.lookingAt() && layersToTransform.contains(Integer.valueOf(matcher.group("idx")));
  }

  private static Pattern inList(String name) {
    try {
      return Pattern.compile("(?:^|.*?\\.)" + name + "\\.(?<idx>\\d+)\\.");
    } catch (PatternSyntaxException e) {
      throw new ConfigurationException(
          "layers_pattern: '" + name + "' is not a regular expression: " + e.getDescription(), e);
    }
  }
}
