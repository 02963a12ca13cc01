package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** The {@code target_modules} of an adapter that is made of others: all of theirs. */
final class CombinedTargets {
  private CombinedTargets() {}

  /**
   * In PEFT's form.
   *
   * @param all what each says; all are there, as in the configuration of an adapter on a model
   * @param paths the layers that each has, which stand for {@code all-linear}
   * @return names, or an expression
   * @throws ConfigurationException if some say names, and some expressions
   */
  static Object of(List<Optional<TargetModules>> all, List<Set<String>> paths) {
    List<TargetModules> said = all.stream().map(Optional::orElseThrow).toList();
    if (said.stream().allMatch(TargetModules.Regex.class::isInstance)) {
      return said.stream()
          .map(targets -> "(" + targets.toJson() + ")")
          .collect(Collectors.joining("|"));
    }
    if (said.stream().anyMatch(TargetModules.Regex.class::isInstance)) {
      throw new ConfigurationException(
          "adapters whose target_modules are names and expressions cannot be combined");
    }
    Set<String> names = new LinkedHashSet<>();
    for (int i = 0; i < said.size(); i++) {
      names.addAll(said.get(i) instanceof TargetModules.Names some ? some.names() : paths.get(i));
    }
    return List.copyOf(names);
  }
}
