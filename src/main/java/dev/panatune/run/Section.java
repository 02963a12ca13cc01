package dev.panatune.run;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * One mapping of a run's YAML, read key by key.
 *
 * <p>A key that was never asked for is an error once {@link #finish} is called, and what was asked
 * for is what is known: so the reading code is the only list of keys. {@link #resolved} holds every
 * value as it was read, defaults included.
 */
final class Section {
  private final String path;
  private final Map<String, Object> values;
  private final Set<String> known = new LinkedHashSet<>();
  private final Map<String, Object> resolved = new LinkedHashMap<>();

  private Section(String path, Map<String, Object> values) {
    this.path = path;
    this.values = values;
  }

  /**
   * A section over parsed YAML.
   *
   * @param path the keys that lead here, joined by dots; empty for the whole file
   * @throws ConfigurationException if it is not a mapping with strings as keys
   */
  static Section of(String path, Object yaml) {
    if (!(yaml instanceof Map<?, ?> map)) {
      throw new ConfigurationException(
          "%s is %s, not a mapping of keys to values"
              .formatted(path.isEmpty() ? "the run file" : path, kind(yaml)));
    }
    Map<String, Object> values = new LinkedHashMap<>();
    map.forEach((key, value) -> values.put(String.valueOf(key), value));
    return new Section(path, values);
  }

  /** The path of a key of this section, as messages name it. */
  String at(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  /** Whether the key is there with a value other than null. */
  boolean has(String key) {
    known.add(key);
    return values.get(key) != null;
  }

  /** Reads {@code other} wherever {@code key} is asked for; both at once are an error. */
  Section alias(String other, String key) {
    known.add(other);
    if (values.containsKey(other)) {
      if (values.containsKey(key)) {
        throw new ConfigurationException(
            "%s and %s mean the same; keep %s".formatted(at(other), at(key), key));
      }
      values.put(key, values.remove(other));
    }
    return this;
  }

  /** Refuses a known key that is not supported, unless it has a value that changes nothing. */
  void refuse(String key, String why, Object... harmless) {
    if (has(key) && !List.of(harmless).contains(values.get(key))) {
      throw new ConfigurationException(
          "%s: %s is not supported: %s".formatted(at(key), values.get(key), why));
    }
  }

  Optional<String> string(String key) {
    return read(key, String.class, "a string");
  }

  String string(String key, String otherwise) {
    return resolve(key, string(key).orElse(otherwise));
  }

  boolean bool(String key, boolean otherwise) {
    return resolve(key, read(key, Boolean.class, "true or false").orElse(otherwise));
  }

  /** A whole number, at least {@code least}. */
  long integer(String key, long least, long otherwise) {
    Optional<Number> number = read(key, Number.class, "a whole number");
    if (number.isPresent() && !(number.get() instanceof Integer || number.get() instanceof Long)) {
      throw wrongType(key, "a whole number");
    }
    long value = number.map(Number::longValue).orElse(otherwise);
    if (number.isPresent() && value < least) {
      throw new ConfigurationException(
          "%s is %d; it must be at least %d".formatted(at(key), value, least));
    }
    return resolve(key, value);
  }

  double number(String key, double otherwise) {
    return resolve(
        key, read(key, Number.class, "a number").map(Number::doubleValue).orElse(otherwise));
  }

  /** A list of strings; a single string stands for a list of it. */
  List<String> strings(String key) {
    List<String> strings = new ArrayList<>();
    for (Object element : list(key)) {
      if (!(element instanceof String text)) {
        throw wrongType(key, "a list of strings");
      }
      strings.add(text);
    }
    return resolve(key, List.copyOf(strings));
  }

  /** The elements of a list; of what is no list, it alone; nothing where the key is absent. */
  List<?> list(String key) {
    if (!has(key)) {
      return List.of();
    }
    return values.get(key) instanceof List<?> list ? list : List.of(values.get(key));
  }

  /** The section under a key, if it is there. */
  Optional<Section> section(String key) {
    return has(key) ? Optional.of(of(at(key), values.get(key))) : Optional.empty();
  }

  /** Everything in this section, for a reader that knows its keys itself. */
  Map<String, Object> all() {
    known.addAll(values.keySet());
    return values;
  }

  /** The value of a key as the file has it. */
  Object value(String key) {
    known.add(key);
    return values.get(key);
  }

  /** Reads by other means; what it finds wrong is told with this section's name. */
  <T> T named(Supplier<T> reading) {
    try {
      return reading.get();
    } catch (ConfigurationException e) {
      throw new ConfigurationException("in " + path + ": " + e.getMessage(), e);
    }
  }

  /** Notes a value as it holds after reading. */
  <T> T resolve(String key, T value) {
    resolved.put(key, value);
    return value;
  }

  Map<String, Object> resolved() {
    return resolved;
  }

  /**
   * Ends the reading.
   *
   * @throws ConfigurationException if a key was there that nothing asked for
   */
  void finish() {
    for (String key : values.keySet()) {
      if (!known.contains(key)) {
        throw unknownKey(at(key), key, known);
      }
    }
  }

  /** The error for a key that is not known, with the nearest that is. */
  static ConfigurationException unknownKey(String path, String key, Collection<String> known) {
    return new ConfigurationException(
        "unknown key %s%s"
            .formatted(
                path,
                Suggestion.nearest(key, known)
                    .map("; did you mean %s?"::formatted)
                    .orElse("; known here are " + String.join(", ", known))));
  }

  private <T> Optional<T> read(String key, Class<T> type, String expected) {
    if (!has(key)) {
      return Optional.empty();
    }
    Object value = values.get(key);
    if (!type.isInstance(value)) {
      throw wrongType(key, expected);
    }
    return Optional.of(resolve(key, type.cast(value)));
  }

  private ConfigurationException wrongType(String key, String expected) {
    Object value = values.get(key);
    return new ConfigurationException("%s is %s, not %s".formatted(at(key), kind(value), expected));
  }

  private static String kind(Object value) {
    return switch (value) {
      case null -> "empty";
      case String text -> "the string '" + text + "'";
      case Boolean bool -> bool.toString();
      case Number number -> "the number " + number;
      case Map<?, ?> _ -> "a mapping";
      case List<?> _ -> "a list";
      default -> "of type " + value.getClass().getSimpleName();
    };
  }
}
