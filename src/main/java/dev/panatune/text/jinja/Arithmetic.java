package dev.panatune.text.jinja;

import dev.panatune.text.jinja.Expression.BinaryOperator;
import java.util.ArrayList;
import java.util.List;

/** Python's arithmetic, also that of strings and lists; integers have 64 bits. */
final class Arithmetic {
  private final Budget budget;

  Arithmetic(Budget budget) {
    this.budget = budget;
  }

  Object apply(BinaryOperator operator, Object left, Object right) {
    if (operator == BinaryOperator.MODULO && left instanceof String format) {
      return PrintfFormat.format(format, right, budget);
    }
    for (Object side : new Object[] {left, right}) {
      if (side instanceof Undefined undefined) {
        throw undefined.failure();
      }
    }
    if (Ordering.isNumber(left) && Ordering.isNumber(right)) {
      return numbers(operator, left, right);
    }
    return switch (operator) {
      case ADD -> join(left, right);
      case MULTIPLY -> repeat(left, right);
      default -> throw unsupported(operator, left, right);
    };
  }

  private Object join(Object left, Object right) {
    if (left instanceof String l && right instanceof String r) {
      budget.characters((long) l.length() + r.length());
      return l + r;
    }
    if (left instanceof List<?> l && right instanceof List<?> r && !(left instanceof Range)) {
      return joined(l, r);
    }
    if (left instanceof Tuple l && right instanceof Tuple r) {
      return new Tuple(joined(l.items(), r.items()));
    }
    if (left instanceof String) {
      throw JinjaException.type(
          "can only concatenate str (not \"" + PythonValue.typeName(right) + "\") to str");
    }
    throw unsupported(BinaryOperator.ADD, left, right);
  }

  private List<Object> joined(List<?> left, List<?> right) {
    budget.steps((long) left.size() + right.size());
    List<Object> result = new ArrayList<>(left.size() + right.size());
    result.addAll(left);
    result.addAll(right);
    return result;
  }

  private Object repeat(Object left, Object right) {
    Object repeated = Ordering.isNumber(left) ? right : left;
    Object count = Ordering.isNumber(left) ? left : right;
    if (count instanceof Double || !Ordering.isNumber(count)) {
      throw unsupported(BinaryOperator.MULTIPLY, left, right);
    }
    long times = Math.max(0, Ordering.toLong(count));
    return switch (repeated) {
      case String s -> {
        budget.characters(size(s.length(), times));
        yield s.repeat((int) (s.isEmpty() ? 0 : times));
      }
      case List<?> l when !(l instanceof Range) -> repeated(l, times);
      case Tuple t -> new Tuple(repeated(t.items(), times));
      case null, default -> throw unsupported(BinaryOperator.MULTIPLY, left, right);
    };
  }

  private List<Object> repeated(List<?> items, long times) {
    budget.steps(size(items.size(), times));
    List<Object> result = new ArrayList<>();
    for (long i = 0; i < (items.isEmpty() ? 0 : times); i++) {
      result.addAll(items);
    }
    return result;
  }

  private static long size(long length, long times) {
    return Math.multiplyHigh(length, times) == 0 && length * times >= 0
        ? length * times
        : Long.MAX_VALUE;
  }

  private static Object numbers(BinaryOperator operator, Object left, Object right) {
    boolean floating =
        left instanceof Double || right instanceof Double || operator == BinaryOperator.DIVIDE;
    if (floating) {
      return doubles(operator, Ordering.toDouble(left), Ordering.toDouble(right));
    }
    long l = Ordering.toLong(left);
    long r = Ordering.toLong(right);
    try {
      return switch (operator) {
        case ADD -> Math.addExact(l, r);
        case SUBTRACT -> Math.subtractExact(l, r);
        case MULTIPLY -> Math.multiplyExact(l, r);
        case FLOOR_DIVIDE -> Math.floorDivExact(l, nonZero(r));
        case MODULO -> Math.floorMod(l, nonZero(r));
        case POWER -> r < 0 ? (Object) Math.pow(l, r) : (Object) power(l, r);
        case DIVIDE -> throw new IllegalStateException();
      };
    } catch (ArithmeticException e) {
      throw JinjaException.limit("integers of more than 64 bits are not supported");
    }
  }

  private static long nonZero(long divisor) {
    if (divisor == 0) {
      throw JinjaException.type("division by zero");
    }
    return divisor;
  }

  private static long power(long base, long exponent) {
    long result = 1;
    if (base == 0 || base == 1 || base == -1) {
      return exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base;
    }
    for (long i = 0; i < exponent; i++) {
      result = Math.multiplyExact(result, base);
    }
    return result;
  }

  private static Object doubles(BinaryOperator operator, double left, double right) {
    boolean divides =
        operator == BinaryOperator.DIVIDE
            || operator == BinaryOperator.FLOOR_DIVIDE
            || operator == BinaryOperator.MODULO;
    if (divides && right == 0) {
      throw JinjaException.type("division by zero");
    }
    return switch (operator) {
      case ADD -> left + right;
      case SUBTRACT -> left - right;
      case MULTIPLY -> left * right;
      case DIVIDE -> left / right;
      case FLOOR_DIVIDE -> Math.floor(left / right);
      case MODULO -> floorMod(left, right);
      case POWER -> Math.pow(left, right);
    };
  }

  private static double floorMod(double left, double right) {
    double rest = left % right;
    return rest != 0 && rest < 0 != right < 0 ? rest + right : rest;
  }

  Object apply(Expression.UnaryOperator operator, Object operand) {
    boolean negate = operator == Expression.UnaryOperator.NEGATE;
    return switch (operand) {
      case Long l when negate && l == Long.MIN_VALUE ->
          throw JinjaException.limit("integers of more than 64 bits are not supported");
      case Long l -> negate ? (Object) (-l) : l;
      case Double d -> negate ? (Object) (-d) : d;
      case Boolean b -> (negate ? -1L : 1L) * (b ? 1 : 0);
      case Undefined u -> throw u.failure();
      case null, default ->
          throw JinjaException.type(
              "bad operand type for unary %s: '%s'"
                  .formatted(negate ? "-" : "+", PythonValue.typeName(operand)));
    };
  }

  private static JinjaException unsupported(BinaryOperator operator, Object left, Object right) {
    return JinjaException.type(
        "unsupported operand type(s) for %s: '%s' and '%s'"
            .formatted(operator.symbol(), PythonValue.typeName(left), PythonValue.typeName(right)));
  }
}
