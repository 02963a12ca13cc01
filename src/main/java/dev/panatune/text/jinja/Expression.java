package dev.panatune.text.jinja;

import java.util.List;

/** An expression of a template. */
sealed interface Expression {
  /** A literal: null, Boolean, Long, Double or String. */
  record Constant(Object value) implements Expression {}

  record Name(String name) implements Expression {}

  record TupleLiteral(List<Expression> items) implements Expression {}

  record ListLiteral(List<Expression> items) implements Expression {}

  record DictLiteral(List<Entry> entries) implements Expression {}

  record Entry(Expression key, Expression value) {}

  record Unary(UnaryOperator operator, Expression operand) implements Expression {}

  record Binary(BinaryOperator operator, Expression left, Expression right) implements Expression {}

  /** The {@code ~} operator: all parts as text, one after the other. */
  record Concat(List<Expression> parts) implements Expression {}

  record Compare(Expression first, List<Comparison> rest) implements Expression {}

  record Comparison(Comparator operator, Expression right) {}

  record And(Expression left, Expression right) implements Expression {}

  record Or(Expression left, Expression right) implements Expression {}

  record Not(Expression operand) implements Expression {}

  /** {@code then if test else otherwise}; without else, otherwise is null. */
  record Conditional(Expression test, Expression then, Expression otherwise)
      implements Expression {}

  record Attribute(Expression target, String name) implements Expression {}

  record Item(Expression target, Expression index) implements Expression {}

  /** {@code start:stop:step} of a subscript; what is absent is null. */
  record Slice(Expression start, Expression stop, Expression step) implements Expression {}

  record Call(Expression target, ArgumentList arguments) implements Expression {}

  /** A filter; its target is null in a filter block. */
  record Filter(Expression target, String name, ArgumentList arguments) implements Expression {}

  record Test(Expression target, String name, ArgumentList arguments) implements Expression {}

  /** What stands between the parentheses of a call; star and starStar may be null. */
  record ArgumentList(
      List<Expression> positional, List<Keyword> named, Expression star, Expression starStar) {
    static final ArgumentList EMPTY = new ArgumentList(List.of(), List.of(), null, null);
  }

  record Keyword(String name, Expression value) {}

  enum UnaryOperator {
    NEGATE,
    PLUS
  }

  enum BinaryOperator {
    ADD("+"),
    SUBTRACT("-"),
    MULTIPLY("*"),
    DIVIDE("/"),
    FLOOR_DIVIDE("//"),
    MODULO("%"),
    POWER("**");

    private final String symbol;

    BinaryOperator(String symbol) {
      this.symbol = symbol;
    }

    String symbol() {
      return symbol;
    }
  }

  enum Comparator {
    EQUAL("=="),
    NOT_EQUAL("!="),
    LESS("<"),
    LESS_OR_EQUAL("<="),
    GREATER(">"),
    GREATER_OR_EQUAL(">="),
    IN("in"),
    NOT_IN("not in");

    private final String symbol;

    Comparator(String symbol) {
      this.symbol = symbol;
    }

    String symbol() {
      return symbol;
    }
  }
}
