package dev.panatune.text.jinja;

import dev.panatune.text.jinja.Expression.ArgumentList;
import dev.panatune.text.jinja.Expression.BinaryOperator;
import dev.panatune.text.jinja.Expression.Comparator;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** Parses expressions with Jinja's precedences. */
final class ExpressionParser {
  private static final Map<String, Comparator> COMPARATORS =
      Map.of(
          "==", Comparator.EQUAL,
          "!=", Comparator.NOT_EQUAL,
          "<", Comparator.LESS,
          "<=", Comparator.LESS_OR_EQUAL,
          ">", Comparator.GREATER,
          ">=", Comparator.GREATER_OR_EQUAL);
  private static final Map<String, BinaryOperator> SUMS =
      Map.of("+", BinaryOperator.ADD, "-", BinaryOperator.SUBTRACT);
  private static final Map<String, BinaryOperator> PRODUCTS =
      Map.of(
          "*", BinaryOperator.MULTIPLY,
          "/", BinaryOperator.DIVIDE,
          "//", BinaryOperator.FLOOR_DIVIDE,
          "%", BinaryOperator.MODULO);
  private static final Map<String, BinaryOperator> POWERS = Map.of("**", BinaryOperator.POWER);

  private final TokenStream stream;
  private final LiteralParser literals;

  ExpressionParser(TokenStream stream) {
    this.stream = stream;
    this.literals = new LiteralParser(stream, this);
  }

  /** An expression, inline conditions included. */
  Expression parse() {
    stream.enter();
    Expression result = parseConditional();
    stream.leave();
    return result;
  }

  /** An expression without inline conditions, as after {@code in} of a loop. */
  Expression parseWithoutCondition() {
    stream.enter();
    Expression result = parseOr();
    stream.leave();
    return result;
  }

  /** One expression, or several with commas between them, which are a tuple. */
  Expression parseTuple(boolean withCondition) {
    return parseTuple(withCondition ? this::parse : this::parseWithoutCondition, false);
  }

  private Expression parseTuple(Supplier<Expression> element, boolean inParentheses) {
    List<Expression> items = new ArrayList<>();
    boolean tuple = false;
    while (!atTupleEnd()) {
      items.add(element.get());
      if (!stream.skipOperator(",")) {
        break;
      }
      tuple = true;
    }
    if (!tuple && items.size() == 1) {
      return items.getFirst();
    }
    if (!tuple && !inParentheses) {
      throw stream.fail("expected an expression, got " + stream.current().describe());
    }
    return new Expression.TupleLiteral(items);
  }

  private boolean atTupleEnd() {
    Token token = stream.current();
    return token.kind() == Token.Kind.VARIABLE_END
        || token.kind() == Token.Kind.BLOCK_END
        || token.isOperator(")");
  }

  private Expression parseConditional() {
    Expression result = parseOr();
    while (stream.skipName("if")) {
      Expression test = parseOr();
      Expression otherwise = stream.skipName("else") ? parse() : null;
      result = new Expression.Conditional(test, result, otherwise);
    }
    return result;
  }

  private Expression parseOr() {
    Expression left = parseAnd();
    while (stream.skipName("or")) {
      left = new Expression.Or(left, parseAnd());
    }
    return left;
  }

  private Expression parseAnd() {
    Expression left = parseNot();
    while (stream.skipName("and")) {
      left = new Expression.And(left, parseNot());
    }
    return left;
  }

  private Expression parseNot() {
    if (!stream.skipName("not")) {
      return parseComparison();
    }
    stream.enter();
    Expression operand = parseNot();
    stream.leave();
    return new Expression.Not(operand);
  }

  private Expression parseComparison() {
    Expression first = parseSum();
    List<Expression.Comparison> rest = new ArrayList<>();
    for (Optional<Comparator> c = nextComparator(); c.isPresent(); c = nextComparator()) {
      rest.add(new Expression.Comparison(c.get(), parseSum()));
    }
    return rest.isEmpty() ? first : new Expression.Compare(first, rest);
  }

  private Optional<Comparator> nextComparator() {
    Token token = stream.current();
    if (token.kind() == Token.Kind.OPERATOR && COMPARATORS.containsKey(token.text())) {
      return Optional.of(COMPARATORS.get(stream.next().text()));
    }
    if (stream.skipName("in")) {
      return Optional.of(Comparator.IN);
    }
    if (token.isName("not") && stream.look().isName("in")) {
      stream.next();
      stream.next();
      return Optional.of(Comparator.NOT_IN);
    }
    return Optional.empty();
  }

  private Expression parseSum() {
    return parseBinary(SUMS, this::parseConcat);
  }

  private Expression parseConcat() {
    List<Expression> parts = new ArrayList<>(List.of(parseProduct()));
    while (stream.skipOperator("~")) {
      parts.add(parseProduct());
    }
    return parts.size() == 1 ? parts.getFirst() : new Expression.Concat(parts);
  }

  private Expression parseProduct() {
    return parseBinary(PRODUCTS, this::parsePower);
  }

  private Expression parsePower() {
    return parseBinary(POWERS, () -> parseUnary(true));
  }

  private Expression parseBinary(
      Map<String, BinaryOperator> operators, Supplier<Expression> operand) {
    Expression left = operand.get();
    while (stream.current().kind() == Token.Kind.OPERATOR
        && operators.containsKey(stream.current().text())) {
      BinaryOperator operator = operators.get(stream.next().text());
      left = new Expression.Binary(operator, left, operand.get());
    }
    return left;
  }

  private Expression parseUnary(boolean withFilters) {
    Expression result;
    if (stream.current().isOperator("-") || stream.current().isOperator("+")) {
      boolean minus = stream.next().text().equals("-");
      stream.enter();
      result =
          new Expression.Unary(
              minus ? Expression.UnaryOperator.NEGATE : Expression.UnaryOperator.PLUS,
              parseUnary(false));
      stream.leave();
    } else {
      result = parsePrimary();
    }
    result = parsePostfix(result);
    return withFilters ? parseFiltersAndTests(result) : result;
  }

  /** A name, a literal or something in brackets. */
  Expression parsePrimary() {
    Token token = stream.current();
    return switch (token.kind()) {
      case NAME -> name(stream.next().text());
      case STRING -> {
        StringBuilder text = new StringBuilder();
        while (stream.current().kind() == Token.Kind.STRING) {
          text.append(stream.next().text());
        }
        yield new Expression.Constant(text.toString());
      }
      case INTEGER -> new Expression.Constant(LiteralParser.integer(stream.next()));
      case FLOAT -> new Expression.Constant(Double.valueOf(stream.next().text()));
      case OPERATOR ->
          switch (token.text()) {
            case "(" -> {
              stream.next();
              stream.enter();
              Expression inner = parseTuple(this::parse, true);
              stream.leave();
              stream.expectOperator(")");
              yield inner;
            }
            case "[" -> literals.list();
            case "{" -> literals.dict();
            default -> throw stream.fail("unexpected " + token.describe());
          };
      default -> throw stream.fail("unexpected " + token.describe());
    };
  }

  private Expression name(String name) {
    return switch (name) {
      case "true", "True" -> new Expression.Constant(true);
      case "false", "False" -> new Expression.Constant(false);
      case "none", "None" -> new Expression.Constant(null);
      default -> {
        stream.nameRead(name);
        yield new Expression.Name(name);
      }
    };
  }

  private Expression parsePostfix(Expression start) {
    Expression result = start;
    while (true) {
      if (stream.skipOperator(".")) {
        result = parseAttribute(result);
      } else if (stream.skipOperator("[")) {
        result = parseSubscript(result);
      } else if (stream.current().isOperator("(")) {
        result = new Expression.Call(result, parseArguments());
      } else {
        return result;
      }
    }
  }

  private Expression parseAttribute(Expression target) {
    Token attribute = stream.next();
    return switch (attribute.kind()) {
      case NAME -> new Expression.Attribute(target, attribute.text());
      case INTEGER ->
          new Expression.Item(target, new Expression.Constant(LiteralParser.integer(attribute)));
      default ->
          throw JinjaException.syntax("expected a name or a number after '.'", attribute.line());
    };
  }

  private Expression parseSubscript(Expression target) {
    List<Expression> indices = new ArrayList<>();
    do {
      indices.add(parseIndex());
    } while (stream.skipOperator(","));
    stream.expectOperator("]");
    return new Expression.Item(
        target, indices.size() == 1 ? indices.getFirst() : new Expression.TupleLiteral(indices));
  }

  private Expression parseIndex() {
    Expression start = stream.current().isOperator(":") ? null : parse();
    if (!stream.skipOperator(":")) {
      return start;
    }
    Expression stop = atSliceEnd() || stream.current().isOperator(":") ? null : parse();
    Expression step = stream.skipOperator(":") && !atSliceEnd() ? parse() : null;
    return new Expression.Slice(start, stop, step);
  }

  private boolean atSliceEnd() {
    return stream.current().isOperator("]") || stream.current().isOperator(",");
  }

  private Expression parseFiltersAndTests(Expression start) {
    Expression result = start;
    while (true) {
      if (stream.current().isOperator("|")) {
        result = parseFilters(result);
      } else if (stream.skipName("is")) {
        result = parseTest(result);
      } else if (stream.current().isOperator("(")) {
        result = new Expression.Call(result, parseArguments());
      } else {
        return result;
      }
    }
  }

  /** All filters that follow, each begun by a bar. */
  Expression parseFilters(Expression start) {
    Expression result = start;
    while (stream.skipOperator("|")) {
      result = parseFilter(result);
    }
    return result;
  }

  /** One filter, after its bar. */
  Expression.Filter parseFilter(Expression target) {
    String name = dottedName();
    return new Expression.Filter(target, name, argumentsIfAny());
  }

  private ArgumentList argumentsIfAny() {
    return stream.current().isOperator("(") ? parseArguments() : ArgumentList.EMPTY;
  }

  private String dottedName() {
    StringBuilder name = new StringBuilder(stream.expect(Token.Kind.NAME).text());
    while (stream.skipOperator(".")) {
      name.append('.').append(stream.expect(Token.Kind.NAME).text());
    }
    return name.toString();
  }

  private Expression parseTest(Expression target) {
    boolean negated = stream.skipName("not");
    String name = dottedName();
    ArgumentList arguments = ArgumentList.EMPTY;
    if (stream.current().isOperator("(")) {
      arguments = parseArguments();
    } else if (beginsTestArgument(stream.current())) {
      if (stream.current().isName("is")) {
        throw stream.fail("tests cannot be chained with 'is'");
      }
      Expression argument = parsePostfix(parsePrimary());
      arguments = new ArgumentList(List.of(argument), List.of(), null, null);
    }
    Expression test = new Expression.Test(target, name, arguments);
    return negated ? new Expression.Not(test) : test;
  }

  private static boolean beginsTestArgument(Token token) {
    return switch (token.kind()) {
      case STRING, INTEGER, FLOAT -> true;
      case NAME -> !token.isName("else") && !token.isName("or") && !token.isName("and");
      case OPERATOR -> token.isOperator("[") || token.isOperator("{");
      default -> false;
    };
  }

  /** The arguments of a call, parentheses included. */
  ArgumentList parseArguments() {
    return new ArgumentParser(stream, this).parse();
  }
}
