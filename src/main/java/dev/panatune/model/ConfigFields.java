package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Function;

/** Typed access to the fields of a {@code config.json}, with errors that name the field. */
final class ConfigFields {
  private final String origin;
  private final Map<String, Object> values;
  private final Map<String, String> shownNames;

  /**
   * Creates it over the fields of one object.
   *
   * @param origin names the object in errors, as in {@code config.json}
   */
  ConfigFields(String origin, Map<String, Object> values) {
    this(origin, values, Map.of());
  }

  /**
   * Creates it over the fields of one object.
   *
   * @param shownNames what errors call a field, where that is another name
   */
  ConfigFields(String origin, Map<String, Object> values, Map<String, String> shownNames) {
    this.origin = origin;
    this.values = values;
    this.shownNames = shownNames;
  }

  /** Returns whether the field is there and not null. */
  boolean has(String key) {
    return values.get(key) != null;
  }

  /** Returns whether the field is there, be it null. */
  boolean contains(String key) {
    return values.containsKey(key);
  }

  String string(String key) {
    return required(key, this::asString);
  }

  String string(String key, String fallback) {
    return optional(key, fallback, this::asString);
  }

  /** Returns a whole number of at least 1. */
  int positive(String key) {
    return required(key, value -> asPositive(key, value));
  }

  int positive(String key, int fallback) {
    return optional(key, fallback, value -> asPositive(key, value));
  }

  /** Returns a whole number of at least 0. */
  int whole(String key) {
    return required(key, value -> asWhole(key, value, 0));
  }

  /** Returns a whole number of at least 1, where there is one. */
  OptionalInt optionalPositive(String key) {
    return has(key) ? OptionalInt.of(positive(key)) : OptionalInt.empty();
  }

  /** Returns a number, where there is one. */
  OptionalDouble optionalNumber(String key) {
    return has(key) ? OptionalDouble.of(number(key)) : OptionalDouble.empty();
  }

  double number(String key) {
    return required(key, value -> asNumber(key, value));
  }

  double number(String key, double fallback) {
    return optional(key, fallback, value -> asNumber(key, value));
  }

  boolean flag(String key, boolean fallback) {
    return optional(
        key, fallback, value -> value instanceof Boolean b ? b : wrong(key, "true or false"));
  }

  /** Returns an object's fields, or those of an empty one where the field is absent. */
  ConfigFields object(String key) {
    return new ConfigFields(origin + ": " + key, map(key).orElse(Map.of()));
  }

  /** Returns an object as it is, where there is one. */
  Optional<Map<String, Object>> map(String key) {
    return optional(key, Optional.empty(), value -> Optional.of(asMap(key, value)));
  }

  /** Returns a list's elements, where there is one. */
  Optional<List<?>> list(String key) {
    return optional(
        key,
        Optional.empty(),
        value -> value instanceof List<?> list ? Optional.of(list) : wrong(key, "a list"));
  }

  /** Returns a list of numbers. */
  List<Double> numbers(String key) {
    return list(key).orElseThrow(() -> missing(key)).stream()
        .map(value -> asNumber(key, value))
        .toList();
  }

  /** Returns token ids: none where the field is absent, one, or a list. */
  List<Integer> tokenIds(String key) {
    return optional(
        key,
        List.of(),
        value ->
            value instanceof List<?> list
                ? list.stream().map(id -> asTokenId(key, id)).toList()
                : List.of(asTokenId(key, value)));
  }

  /** Returns an error about a field, to be thrown. */
  ConfigurationException error(String key, String what) {
    return new ConfigurationException(
        "%s: %s is %s; %s".formatted(origin, shown(key), values.get(key), what));
  }

  private <T> T required(String key, Function<Object, T> parse) {
    Object value = values.get(key);
    if (value == null) {
      throw missing(key);
    }
    return parse.apply(value);
  }

  private ConfigurationException missing(String key) {
    return new ConfigurationException("%s: %s is missing".formatted(origin, shown(key)));
  }

  private String shown(String key) {
    return shownNames.getOrDefault(key, key);
  }

  private <T> T optional(String key, T fallback, Function<Object, T> parse) {
    Object value = values.get(key);
    return value == null ? fallback : parse.apply(value);
  }

  private String asString(Object value) {
    if (value instanceof String text) {
      return text;
    }
    throw new ConfigurationException("%s: %s is not a string".formatted(origin, value));
  }

  private int asPositive(String key, Object value) {
    return asWhole(key, value, 1);
  }

  private int asWhole(String key, Object value, int least) {
    double number = asNumber(key, value);
    if (number < least || number > Integer.MAX_VALUE || number != Math.rint(number)) {
      return wrong(key, "a whole number of at least " + least);
    }
    return (int) number;
  }

  private int asTokenId(String key, Object value) {
    return value instanceof Integer id && id >= 0 ? id : wrong(key, "a token id or a list of them");
  }

  private double asNumber(String key, Object value) {
    return value instanceof Number number ? number.doubleValue() : wrong(key, "a number");
  }

  private Map<String, Object> asMap(String key, Object value) {
    if (!(value instanceof Map<?, ?> map)) {
      return wrong(key, "an object");
    }
    Map<String, Object> fields = new LinkedHashMap<>();
    map.forEach((name, field) -> fields.put(String.valueOf(name), field));
    return fields;
  }

  private <T> T wrong(String key, String expected) {
    throw error(key, "expected " + expected);
  }
}
