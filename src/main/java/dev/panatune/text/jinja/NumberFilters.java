package dev.panatune.text.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;

/** Filters that give numbers, and those of any value. */
final class NumberFilters {
  private static final Map<Integer, String> PREFIXES = Map.of(2, "0b", 8, "0o", 16, "0x");

  private final Budget budget;

  NumberFilters(Budget budget) {
    this.budget = budget;
  }

  void addTo(Map<String, Filters.Filter> filters) {
    filters.put("default", NumberFilters::defaultTo);
    filters.put("d", NumberFilters::defaultTo);
    filters.put("length", (value, arguments) -> PythonValue.length(value));
    filters.put("count", (value, arguments) -> PythonValue.length(value));
    filters.put("abs", (value, arguments) -> abs(value));
    filters.put("int", this::toInteger);
    filters.put("float", this::toFloat);
    filters.put("round", NumberFilters::round);
  }

  private static Object defaultTo(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("default", "default_value", "", "boolean", false);
    boolean missing = value instanceof Undefined || bound.isTrue(1) && !PythonValue.isTrue(value);
    return missing ? bound.value(0) : value;
  }

  private static Object abs(Object value) {
    return switch (value) {
      case Double d -> Math.abs(d);
      case Long l -> Math.absExact(l);
      case Boolean b -> b ? 1L : 0L;
      case Undefined u -> throw u.failure();
      case null, default ->
          throw JinjaException.type(
              "bad operand type for abs(): '" + PythonValue.typeName(value) + "'");
    };
  }

  private Object toInteger(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("int", "default", 0L, "base", 10L);
    try {
      return switch (value) {
        case Undefined u -> throw u.failure();
        case Double d when Math.abs(d) < 0x1p63 -> d.longValue();
        case Long l -> l;
        case Boolean b -> b ? 1L : 0L;
        case String s -> parseInteger(PythonText.strip(s, null), (int) bound.integer(1));
        case null, default -> bound.value(0);
      };
    } catch (NumberFormatException e) {
      return bound.value(0);
    }
  }

  private static Object parseInteger(String text, int base) {
    String digits = text.replaceAll("(?<=\\w)_(?=\\w)", "");
    String prefix = PREFIXES.get(base);
    if (prefix != null && PythonText.lower(digits).startsWith(prefix)) {
      digits = digits.substring(prefix.length());
    }
    try {
      return Long.parseLong(digits, base);
    } catch (NumberFormatException e) {
      return (long) parseDouble(text);
    }
  }

  private static double parseDouble(String text) {
    if (!text.matches("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?")) {
      throw new NumberFormatException(text);
    }
    return Double.parseDouble(text);
  }

  private Object toFloat(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("float", "default", 0.0);
    try {
      return switch (value) {
        case Undefined u -> throw u.failure();
        case Double d -> d;
        case Long l -> (double) l;
        case Boolean b -> b ? 1.0 : 0.0;
        case String s -> parseDouble(PythonText.strip(budget.made(s), null));
        case null, default -> bound.value(0);
      };
    } catch (NumberFormatException e) {
      return bound.value(0);
    }
  }

  private static Object round(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("round", "precision", 0L, "method", "common");
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (!Ordering.isNumber(value)) {
      throw JinjaException.type(
          "type " + PythonValue.typeName(value) + " doesn't define __round__ method");
    }
    RoundingMode mode =
        switch (bound.text(1)) {
          case "common" -> RoundingMode.HALF_EVEN;
          case "ceil" -> RoundingMode.CEILING;
          case "floor" -> RoundingMode.FLOOR;
          default -> throw JinjaException.type("method must be common, ceil or floor");
        };
    int precision = Math.clamp(bound.integer(0), -300, 300);
    double number = Ordering.toDouble(value);
    if (value instanceof Double && (Double.isNaN(number) || Double.isInfinite(number))) {
      return number;
    }
    double rounded = new BigDecimal(number).setScale(precision, mode).doubleValue();
    boolean staysWhole = !(value instanceof Double) && mode == RoundingMode.HALF_EVEN;
    return staysWhole ? (Object) (long) rounded : (Object) rounded;
  }
}
