package dev.panatune.text.jinja;

import dev.panatune.text.jinja.Expression.Comparator;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/** What can stand after {@code is}. */
final class Predicates {
  private static final Map<String, Comparator> COMPARISONS = new TreeMap<>();

  static {
    COMPARISONS.put("<", Comparator.LESS);
    COMPARISONS.put("lt", Comparator.LESS);
    COMPARISONS.put("lessthan", Comparator.LESS);
    COMPARISONS.put("<=", Comparator.LESS_OR_EQUAL);
    COMPARISONS.put("le", Comparator.LESS_OR_EQUAL);
    COMPARISONS.put(">", Comparator.GREATER);
    COMPARISONS.put("gt", Comparator.GREATER);
    COMPARISONS.put("greaterthan", Comparator.GREATER);
    COMPARISONS.put(">=", Comparator.GREATER_OR_EQUAL);
    COMPARISONS.put("ge", Comparator.GREATER_OR_EQUAL);
  }

  private static final Map<String, Predicate<Object>> OF_ONE_VALUE =
      Map.ofEntries(
          Map.entry("none", value -> value == null),
          Map.entry("boolean", value -> value instanceof Boolean),
          Map.entry("true", value -> Boolean.TRUE.equals(value)),
          Map.entry("false", value -> Boolean.FALSE.equals(value)),
          Map.entry("integer", value -> value instanceof Long),
          Map.entry("float", value -> value instanceof Double),
          Map.entry("number", Ordering::isNumber),
          Map.entry("string", value -> value instanceof String),
          Map.entry("mapping", value -> value instanceof Map<?, ?>),
          Map.entry("sequence", PythonValue::isSequence),
          Map.entry("iterable", PythonValue::isIterable),
          Map.entry("escaped", value -> false),
          Map.entry("defined", value -> !(value instanceof Undefined)),
          Map.entry("undefined", value -> value instanceof Undefined),
          Map.entry(
              "callable",
              value ->
                  value instanceof Callable
                      || value instanceof LoopState
                      || value instanceof Undefined));

  private static final Set<String> OF_MORE =
      Set.of(
          "odd",
          "even",
          "==",
          "eq",
          "equalto",
          "!=",
          "ne",
          "in",
          "sameas",
          "divisibleby",
          "upper",
          "lower",
          "filter",
          "test");

  private final Budget budget;
  private Filters filters;

  Predicates(Budget budget) {
    this.budget = budget;
  }

  /** The filters that the test {@code filter} looks in. */
  void connect(Filters known) {
    filters = known;
  }

  boolean has(String name) {
    return OF_ONE_VALUE.containsKey(name)
        || COMPARISONS.containsKey(name)
        || OF_MORE.contains(name);
  }

  boolean holds(String name, Object value, Arguments arguments) {
    Predicate<Object> simple = OF_ONE_VALUE.get(name);
    if (simple != null) {
      arguments.bind(name);
      return simple.test(value);
    }
    if (!has(name)) {
      throw new JinjaException(JinjaException.Kind.SYNTAX, "No test named '" + name + "'.");
    }
    return switch (name) {
      case "odd" -> hasRest(value, 2L, 1L);
      case "even" -> hasRest(value, 2L, 0L);
      case "upper" -> StringMethods.isUpper(Representation.str(value, budget));
      case "lower" -> StringMethods.isLower(Representation.str(value, budget));
      case "filter" -> filters.has(Representation.str(value, budget));
      case "test" -> has(Representation.str(value, budget));
      default -> {
        Object other = arguments.bind(name, "other", Arguments.REQUIRED).value(0);
        yield holds(name, value, other);
      }
    };
  }

  private boolean holds(String name, Object value, Object other) {
    Comparator comparison = COMPARISONS.get(name);
    if (comparison != null) {
      return Ordering.holds(comparison, value, other, budget);
    }
    return switch (name) {
      case "odd", "even", "==", "eq", "equalto" -> Ordering.equal(value, other, budget);
      case "!=", "ne" -> !Ordering.equal(value, other, budget);
      case "in" -> Ordering.contains(other, value, budget);
      case "divisibleby" -> hasRest(value, other, 0L);
      default -> isSame(value, other);
    };
  }

  /** {@code is} of Python: values that Python keeps once are the same when they are equal. */
  private static boolean isSame(Object value, Object other) {
    return value == other
        || value instanceof Boolean && value.equals(other)
        || value instanceof Long && value.equals(other)
        || value instanceof String && value.equals(other);
  }

  private boolean hasRest(Object value, Object divisor, Object rest) {
    Object found = new Arithmetic(budget).apply(Expression.BinaryOperator.MODULO, value, divisor);
    return Ordering.equal(found, rest, budget);
  }
}
