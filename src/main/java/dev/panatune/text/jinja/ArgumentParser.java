package dev.panatune.text.jinja;

import dev.panatune.text.jinja.Expression.ArgumentList;
import dev.panatune.text.jinja.Expression.Keyword;
import java.util.ArrayList;
import java.util.List;

/** Parses what stands between the parentheses of a call. */
final class ArgumentParser {
  private final TokenStream stream;
  private final ExpressionParser expressions;
  private final List<Expression> positional = new ArrayList<>();
  private final List<Keyword> named = new ArrayList<>();
  private Expression star;
  private Expression starStar;

  ArgumentParser(TokenStream stream, ExpressionParser expressions) {
    this.stream = stream;
    this.expressions = expressions;
  }

  ArgumentList parse() {
    stream.expectOperator("(");
    while (!stream.current().isOperator(")")) {
      parseArgument();
      if (!stream.skipOperator(",")) {
        break;
      }
    }
    stream.expectOperator(")");
    return new ArgumentList(positional, named, star, starStar);
  }

  private void parseArgument() {
    if (stream.skipOperator("*")) {
      require(star == null && starStar == null);
      star = expressions.parse();
    } else if (stream.skipOperator("**")) {
      require(starStar == null);
      starStar = expressions.parse();
    } else if (stream.current().kind() == Token.Kind.NAME && stream.look().isOperator("=")) {
      require(starStar == null);
      String name = stream.next().text();
      stream.next();
      named.add(new Keyword(name, expressions.parse()));
    } else {
      require(star == null && starStar == null && named.isEmpty());
      positional.add(expressions.parse());
    }
  }

  private void require(boolean inOrder) {
    if (!inOrder) {
      throw stream.fail("the arguments of this call are in a wrong order");
    }
  }
}
