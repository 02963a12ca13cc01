package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** Typed access to the fields of a {@code config.json}, with errors that name the field. */
final class ConfigFields {
  private final String origin;
  private final Map<String, Object> values;

  /**
   * Creates it over the fields of one object.
   *
   * @param origin names the object in errors, as in {@code config.json}
   */
  ConfigFields(String origin, Map<String, Object> values) {
    this.origin = origin;
    this.values = values;
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
        "%s: %s is %s; %s".formatted(origin, key, values.get(key), what));
  }

  private <T> T required(String key, Function<Object, T> parse) {
    Object value = values.get(key);
    if (value == null) {
      throw new ConfigurationException("%s: %s is missing".formatted(origin, key));
    }
    return parse.apply(value);
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
    double number = asNumber(key, value);
    if (number < 1 || number > Integer.MAX_VALUE || number != Math.rint(number)) {
      return wrong(key, "a whole number of at least 1");
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
