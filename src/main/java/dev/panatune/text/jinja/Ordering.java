package dev.panatune.text.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Python's comparisons: equality of any two values, order of those that have one. */
final class Ordering {
  private Ordering() {}

  static boolean equal(Object left, Object right, Budget budget) {
    budget.step();
    if (isNumber(left) && isNumber(right)) {
      return left instanceof Double || right instanceof Double
          ? toDouble(left) == toDouble(right)
          : toLong(left) == toLong(right);
    }
    return switch (left) {
      case null -> right == null;
      case String s -> s.equals(right);
      case List<?> l -> right instanceof List<?> r && equalItems(l, r, budget);
      case Tuple t -> right instanceof Tuple r && equalItems(t.items(), r.items(), budget);
      case Map<?, ?> m -> right instanceof Map<?, ?> r && equalMaps(m, r, budget);
      case Undefined u -> right instanceof Undefined;
      case DictView v -> right instanceof DictView r && equalItems(v.items(), r.items(), budget);
      default -> left == right;
    };
  }

  private static boolean equalItems(List<?> left, List<?> right, Budget budget) {
    if (left.size() != right.size()) {
      return false;
    }
    budget.enter();
    boolean equal = true;
    Iterator<?> other = right.iterator();
    for (Iterator<?> one = left.iterator(); equal && one.hasNext(); ) {
      equal = equal(one.next(), other.next(), budget);
    }
    budget.leave();
    return equal;
  }

  private static boolean equalMaps(Map<?, ?> left, Map<?, ?> right, Budget budget) {
    budget.enter();
    boolean equal =
        left.size() == right.size()
            && left.entrySet().stream()
                .allMatch(entry ->
                    right.containsKey(entry.getKey())
                        && equal(entry.getValue(), right.get(entry.getKey()), budget));
    budget.leave();
    return equal;
  }

  /** The order of two values, for sorting. */
  static int compare(Object left, Object right, Budget budget) {
    return compare(left, right, "<", budget);
  }

  static boolean holds(Expression.Comparator operator, Object left, Object right, Budget budget) {
    if (isNumber(left) && isNumber(right) && (isNaN(left) || isNaN(right))) {
      return false;
    }
    int order = compare(left, right, operator.symbol(), budget);
    return switch (operator) {
      case LESS -> order < 0;
      case LESS_OR_EQUAL -> order <= 0;
      case GREATER -> order > 0;
      case GREATER_OR_EQUAL -> order >= 0;
      default -> throw new IllegalArgumentException(operator.symbol());
    };
  }

  private static int compare(Object left, Object right, String symbol, Budget budget) {
    budget.step();
    if (isNumber(left) && isNumber(right)) {
      return left instanceof Double || right instanceof Double
          ? Double.compare(toDouble(left) + 0.0, toDouble(right) + 0.0)
          : Long.compare(toLong(left), toLong(right));
    }
    if (left instanceof String l && right instanceof String r) {
      return PythonText.compare(l, r);
    }
    if (left instanceof List<?> l && right instanceof List<?> r) {
      return compareItems(l, r, symbol, budget);
    }
    if (left instanceof Tuple l && right instanceof Tuple r) {
      return compareItems(l.items(), r.items(), symbol, budget);
    }
    for (Object side : new Object[] {left, right}) {
      if (side instanceof Undefined undefined) {
        throw undefined.failure();
      }
    }
    throw JinjaException.type(
        "'%s' not supported between instances of '%s' and '%s'"
            .formatted(symbol, PythonValue.typeName(left), PythonValue.typeName(right)));
  }

  private static int compareItems(List<?> left, List<?> right, String symbol, Budget budget) {
    budget.enter();
    int order = Integer.compare(left.size(), right.size());
    for (int i = 0; i < Math.min(left.size(), right.size()); i++) {
      if (!equal(left.get(i), right.get(i), budget)) {
        order = compare(left.get(i), right.get(i), symbol, budget);
        break;
      }
    }
    budget.leave();
    return order;
  }

  /** {@code item in container}. */
  static boolean contains(Object container, Object item, Budget budget) {
    return switch (container) {
      case String s when item instanceof String part -> s.contains(part);
      case String s ->
          throw JinjaException.type(
              "'in <string>' requires string as left operand, not " + PythonValue.typeName(item));
      case Map<?, ?> m -> m.containsKey(PythonValue.key(item));
      case null, default -> {
        if (!PythonValue.isIterable(container)) {
          throw JinjaException.type(
              "argument of type '" + PythonValue.typeName(container) + "' is not iterable");
        }
        for (Iterator<Object> i = PythonValue.iterate(container); i.hasNext(); ) {
          if (equal(i.next(), item, budget)) {
            yield true;
          }
        }
        yield false;
      }
    };
  }

  static boolean isNumber(Object value) {
    return value instanceof Long || value instanceof Double || value instanceof Boolean;
  }

  private static boolean isNaN(Object value) {
    return value instanceof Double d && d.isNaN();
  }

  static double toDouble(Object number) {
    return number instanceof Boolean b ? (b ? 1 : 0) : ((Number) number).doubleValue();
  }

  static long toLong(Object number) {
    return number instanceof Boolean b ? (b ? 1 : 0) : (Long) number;
  }
}
