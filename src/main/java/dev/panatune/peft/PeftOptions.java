package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Reads one method's options by name, with errors that name them. */
final class PeftOptions {
  /** Options that say where an adapter came from and change nothing in it. */
  private static final Set<String> DESCRIPTIVE =
      Set.of(
          "auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version", "revision");

  private final String method;
  private final Map<String, ?> options;

  /**
   * Options yet to be read.
   *
   * @param method the method's name in messages
   */
  PeftOptions(String method, Map<String, ?> options) {
    this.method = method;
    this.options = options;
  }

  /** Refuses keys that are in none of the sets; those that describe an adapter are known. */
  @SafeVarargs
  final void refuseUnknown(Set<String>... known) {
    Set<String> all = new TreeSet<>(DESCRIPTIVE);
    for (Set<String> some : known) {
      all.addAll(some);
    }
    for (String key : options.keySet()) {
      if (!all.contains(key)) {
        throw new ConfigurationException(
            "unknown option '"
                + key
                + "'"
                + Suggestion.nearest(key, all)
                    .map(near -> "; did you mean '" + near + "'?")
                    .orElse(""));
      }
    }
  }

  /** Refuses options that are not supported and are set to something. */
  void refuseSet(Set<String> unsupported) {
    for (String key : new TreeSet<>(options.keySet())) {
      if (unsupported.contains(key) && !isOff(options.get(key))) {
        throw new ConfigurationException(
            "the %s option %s is not supported yet, and it is set to %s; leave it out"
                .formatted(method, key, options.get(key)));
      }
    }
  }

  /** Refuses any other value than the only one that is supported. */
  void expect(String key, String only) {
    Object value = options.get(key);
    if (value != null && !only.equals(value)) {
      throw new ConfigurationException(
          key + ": " + value + " is not supported yet; supported is " + only);
    }
  }

  /** The value as it is; null where there is none. */
  Object value(String key) {
    return options.get(key);
  }

  /** Module names, or nothing where the key is absent. */
  List<String> names(String key) {
    Object given = options.get(key);
    if (given == null) {
      return List.of();
    }
    if (!(given instanceof Collection<?> values) || values.isEmpty()) {
      throw wrongType(key, "a list of module names");
    }
    List<String> names = new ArrayList<>();
    for (Object value : values) {
      if (!(value instanceof String name) || name.isEmpty()) {
        throw wrongType(key, "a list of module names");
      }
      names.add(name);
    }
    return names;
  }

  /** Modules by names or by an expression; nothing where the key is absent. */
  Optional<TargetModules> targets(String key) {
    return switch (options.get(key)) {
      case null -> Optional.empty();
      case String text -> Optional.of(TargetModules.parse(text));
      default -> Optional.of(new TargetModules.Names(names(key)));
    };
  }

  /** The same, where a list may be empty. */
  Optional<TargetModules> targetsOrNone(String key) {
    return options.get(key) instanceof Collection<?> list && list.isEmpty()
        ? Optional.of(new TargetModules.Names(List.of()))
        : targets(key);
  }

  double number(String key, double missing) {
    return switch (options.get(key)) {
      case null -> missing;
      case Number number -> number.doubleValue();
      default -> throw wrongType(key, "a number");
    };
  }

  int integer(String key, int missing) {
    return switch (options.get(key)) {
      case null -> missing;
      case Number number when number.doubleValue() == number.intValue() -> number.intValue();
      default -> throw wrongType(key, "a whole number");
    };
  }

  boolean flag(String key, boolean missing) {
    return switch (options.get(key)) {
      case null -> missing;
      case Boolean flag -> flag;
      default -> throw wrongType(key, "true or false");
    };
  }

  String text(String key, String missing) {
    return switch (options.get(key)) {
      case null -> missing;
      case String text -> text;
      default -> throw wrongType(key, "a string");
    };
  }

  private ConfigurationException wrongType(String key, String wanted) {
    return new ConfigurationException(key + ": " + options.get(key) + " is not " + wanted);
  }

  /** Whether a value is what PEFT writes for an option that nobody set. */
  private static boolean isOff(Object value) {
    return switch (value) {
      case null -> true;
      case Boolean flag -> !flag;
      case Collection<?> list -> list.isEmpty();
      case Map<?, ?> map -> map.isEmpty();
      default -> false;
    };
  }
}
