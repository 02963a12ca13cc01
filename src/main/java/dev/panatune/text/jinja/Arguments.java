package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The arguments of one call.
 *
 * @param positional in order
 * @param named by name
 */
record Arguments(List<Object> positional, Map<String, Object> named) {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  /** Stands for the default of a parameter that has none. */
  static final Object REQUIRED = new Object();

  static Arguments of(Object... positional) {
    return new Arguments(Arrays.asList(positional), Map.of());
  }

  /**
   * The values of a function's parameters, which are given as name, default, name, default, ...
   *
   * @throws JinjaException when one is missing or too many are given
   */
  Bound bind(String function, Object... namesAndDefaults) {
    int count = namesAndDefaults.length / 2;
    if (positional.size() > count) {
      throw JinjaException.type(
          function + "() takes at most " + count + " arguments (" + positional.size() + " given)");
    }
    Map<String, Object> left = new LinkedHashMap<>(named);
    List<Object> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      String name = (String) namesAndDefaults[2 * i];
      Object value = namesAndDefaults[2 * i + 1];
      if (i < positional.size()) {
        if (left.containsKey(name)) {
          throw JinjaException.type(
              function + "() got multiple values for argument '" + name + "'");
        }
        value = positional.get(i);
      } else if (left.containsKey(name)) {
        value = left.remove(name);
      }
      if (value == REQUIRED) {
        throw JinjaException.type(function + "() missing the argument '" + name + "'");
      }
      values.add(value);
    }
    if (!left.isEmpty()) {
      throw JinjaException.type(
          function
              + "() got an unexpected keyword argument '"
              + left.keySet().iterator().next()
              + "'");
    }
    return new Bound(function, values);
  }

  /** The arguments after the first ones. */
  Arguments skip(int count) {
    int from = Math.min(count, positional.size());
    return new Arguments(positional.subList(from, positional.size()), named);
  }

  /** Values of parameters, in the order of the parameters. */
  record Bound(String function, List<Object> values) {
    Object value(int index) {
      return values.get(index);
    }

    boolean isTrue(int index) {
      return PythonValue.isTrue(value(index));
    }

    String text(int index) {
      if (value(index) instanceof String text) {
        return text;
      }
      throw wrong(index, "str");
    }

    /** A string or null for None. */
    String textOrNull(int index) {
      return value(index) == null ? null : text(index);
    }

    long integer(int index) {
      return switch (value(index)) {
        case Long number -> number;
        case Boolean flag -> flag ? 1 : 0;
        case null, default -> throw wrong(index, "int");
      };
    }

    private JinjaException wrong(int index, String expected) {
      Object value = value(index);
      if (value instanceof Undefined undefined) {
        return undefined.failure();
      }
      return JinjaException.type(
          function + "() needs " + expected + ", not " + PythonValue.typeName(value));
    }
  }
}
