package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Parses integers, lists and dicts that are written out. */
final class LiteralParser {
  private final TokenStream stream;
  private final ExpressionParser expressions;

  LiteralParser(TokenStream stream, ExpressionParser expressions) {
    this.stream = stream;
    this.expressions = expressions;
  }

  static Long integer(Token token) {
    String text = token.text().toLowerCase(Locale.ROOT);
    try {
      return switch (text.length() > 1 ? text.substring(0, 2) : text) {
        case "0x" -> Long.parseLong(text.substring(2), 16);
        case "0o" -> Long.parseLong(text.substring(2), 8);
        case "0b" -> Long.parseLong(text.substring(2), 2);
        default -> Long.parseLong(text);
      };
    } catch (NumberFormatException e) {
      throw JinjaException.syntax("the number " + text + " has more than 64 bits", token.line());
    }
  }

  Expression list() {
    stream.expectOperator("[");
    List<Expression> items = new ArrayList<>();
    while (!stream.current().isOperator("]")) {
      items.add(expressions.parse());
      if (!stream.skipOperator(",")) {
        break;
      }
    }
    stream.expectOperator("]");
    return new Expression.ListLiteral(items);
  }

  Expression dict() {
    stream.expectOperator("{");
    List<Expression.Entry> entries = new ArrayList<>();
    while (!stream.current().isOperator("}")) {
      Expression key = expressions.parse();
      stream.expectOperator(":");
      entries.add(new Expression.Entry(key, expressions.parse()));
      if (!stream.skipOperator(",")) {
        break;
      }
    }
    stream.expectOperator("}");
    return new Expression.DictLiteral(entries);
  }
}
