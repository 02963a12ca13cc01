package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Computes expressions. */
final class Evaluator {
  private final Budget budget;
  private final Attributes attributes;
  private final Arithmetic arithmetic;
  private final Predicates predicates;
  private final Filters filters;

  Evaluator(Budget budget) {
    this.budget = budget;
    this.attributes = new Attributes(budget);
    this.arithmetic = new Arithmetic(budget);
    this.predicates = new Predicates(budget);
    this.filters = new Filters(budget, attributes, predicates);
    predicates.connect(filters);
  }

  Object evaluate(Expression expression, Scope scope) {
    budget.step();
    budget.enter();
    Object result = compute(expression, scope);
    budget.leave();
    return result;
  }

  boolean isTrue(Expression expression, Scope scope) {
    return PythonValue.isTrue(evaluate(expression, scope));
  }

  /** A filter on a value that does not come from its own target. */
  Object filter(Expression.Filter filter, Object value, Scope scope) {
    Object input =
        filter.target() instanceof Expression.Filter inner ? filter(inner, value, scope) : value;
    return filters.apply(filter.name(), input, arguments(filter.arguments(), scope));
  }

  private Object compute(Expression expression, Scope scope) {
    return switch (expression) {
      case Expression.Constant constant -> constant.value();
      case Expression.Name name -> scope.get(name.name());
      case Expression.TupleLiteral tuple -> new Tuple(all(tuple.items(), scope));
      case Expression.ListLiteral list -> all(list.items(), scope);
      case Expression.DictLiteral dict -> dict(dict, scope);
      case Expression.Unary unary ->
          arithmetic.apply(unary.operator(), evaluate(unary.operand(), scope));
      case Expression.Binary binary ->
          arithmetic.apply(
              binary.operator(), evaluate(binary.left(), scope), evaluate(binary.right(), scope));
      case Expression.Concat concat -> concat(concat, scope);
      case Expression.Compare compare -> compare(compare, scope);
      case Expression.And and -> {
        Object left = evaluate(and.left(), scope);
        yield PythonValue.isTrue(left) ? evaluate(and.right(), scope) : left;
      }
      case Expression.Or or -> {
        Object left = evaluate(or.left(), scope);
        yield PythonValue.isTrue(left) ? left : evaluate(or.right(), scope);
      }
      case Expression.Not not -> !isTrue(not.operand(), scope);
      case Expression.Conditional conditional -> conditional(conditional, scope);
      case Expression.Attribute attribute ->
          attributes.attribute(evaluate(attribute.target(), scope), attribute.name());
      case Expression.Item item -> item(item, scope);
      case Expression.Slice slice -> throw JinjaException.type("a slice stands only in brackets");
      case Expression.Call call ->
          call(evaluate(call.target(), scope), arguments(call.arguments(), scope));
      case Expression.Filter filter ->
          filters.apply(
              filter.name(),
              evaluate(filter.target(), scope),
              arguments(filter.arguments(), scope));
      case Expression.Test test -> {
        Object value = evaluate(test.target(), scope);
        yield predicates.holds(test.name(), value, arguments(test.arguments(), scope));
      }
    };
  }

  private List<Object> all(List<Expression> expressions, Scope scope) {
    List<Object> values = new ArrayList<>(expressions.size());
    for (Expression expression : expressions) {
      values.add(evaluate(expression, scope));
    }
    return values;
  }

  private Object dict(Expression.DictLiteral literal, Scope scope) {
    Map<Object, Object> dict = new LinkedHashMap<>();
    for (Expression.Entry entry : literal.entries()) {
      Object key = PythonValue.key(evaluate(entry.key(), scope));
      dict.put(key, evaluate(entry.value(), scope));
    }
    return dict;
  }

  private Object concat(Expression.Concat concat, Scope scope) {
    StringBuilder text = new StringBuilder();
    for (Expression part : concat.parts()) {
      text.append(budget.made(Representation.str(evaluate(part, scope), budget)));
    }
    return text.toString();
  }

  private Object compare(Expression.Compare compare, Scope scope) {
    Object left = evaluate(compare.first(), scope);
    for (Expression.Comparison comparison : compare.rest()) {
      Object right = evaluate(comparison.right(), scope);
      boolean holds =
          switch (comparison.operator()) {
            case EQUAL -> Ordering.equal(left, right, budget);
            case NOT_EQUAL -> !Ordering.equal(left, right, budget);
            case IN -> Ordering.contains(right, left, budget);
            case NOT_IN -> !Ordering.contains(right, left, budget);
            default -> Ordering.holds(comparison.operator(), left, right, budget);
          };
      if (!holds) {
        return false;
      }
      left = right;
    }
    return true;
  }

  private Object conditional(Expression.Conditional conditional, Scope scope) {
    if (isTrue(conditional.test(), scope)) {
      return evaluate(conditional.then(), scope);
    }
    return conditional.otherwise() == null
        ? Undefined.of(
            "the inline if-expression evaluated to false and no else section was defined.")
        : evaluate(conditional.otherwise(), scope);
  }

  private Object item(Expression.Item item, Scope scope) {
    Object target = evaluate(item.target(), scope);
    if (item.index() instanceof Expression.Slice slice) {
      return new Slicing(
              optional(slice.start(), scope),
              optional(slice.stop(), scope),
              optional(slice.step(), scope))
          .of(target, budget);
    }
    return attributes.item(target, evaluate(item.index(), scope));
  }

  private Object optional(Expression expression, Scope scope) {
    return expression == null ? null : evaluate(expression, scope);
  }

  Arguments arguments(Expression.ArgumentList list, Scope scope) {
    List<Object> positional = all(list.positional(), scope);
    Map<String, Object> named = new LinkedHashMap<>();
    for (Expression.Keyword keyword : list.named()) {
      named.put(keyword.name(), evaluate(keyword.value(), scope));
    }
    if (list.star() != null) {
      positional.addAll(PythonValue.toList(evaluate(list.star(), scope), budget));
    }
    if (list.starStar() != null) {
      if (!(evaluate(list.starStar(), scope) instanceof Map<?, ?> more)) {
        throw JinjaException.type("argument after ** must be a mapping");
      }
      more.forEach((name, value) -> named.put(Representation.str(name, budget), value));
    }
    return new Arguments(positional, named);
  }

  Object call(Object target, Arguments arguments) {
    return switch (target) {
      case Callable callable -> callable.call(arguments);
      case LoopState loop -> loop.recurse(arguments);
      case Undefined undefined -> throw undefined.failure();
      case null, default ->
          throw JinjaException.type(
              "'" + PythonValue.typeName(target) + "' object is not callable");
    };
  }
}
