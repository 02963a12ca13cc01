package dev.panatune.text.jinja;

import dev.panatune.text.jinja.Statement.Signature;
import dev.panatune.text.jinja.Statement.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Parses a template into statements. */
final class Parser {
  private static final Set<String> NEEDS_OTHER_TEMPLATES =
      Set.of("extends", "include", "import", "from");

  private final TokenStream stream;
  private final ExpressionParser expressions;

  private Parser(TokenStream stream) {
    this.stream = stream;
    this.expressions = new ExpressionParser(stream);
  }

  static List<Statement> parse(String template) {
    Parser parser = new Parser(new TokenStream(Lexer.tokenize(template)));
    return parser.parseUntil(List.of());
  }

  /** Statements up to one of the end tags, of which the name is the current token afterwards. */
  private List<Statement> parseUntil(List<String> endTags) {
    List<Statement> body = new ArrayList<>();
    while (true) {
      Token token = stream.next();
      switch (token.kind()) {
        case DATA -> body.add(new Statement.Text(token.text(), token.line()));
        case VARIABLE_BEGIN -> {
          body.add(new Statement.Print(expressions.parseTuple(true), token.line()));
          stream.expect(Token.Kind.VARIABLE_END);
        }
        case BLOCK_BEGIN -> {
          if (stream.current().kind() == Token.Kind.NAME
              && endTags.contains(stream.current().text())) {
            return body;
          }
          stream.enter();
          parseStatement(body);
          stream.leave();
          stream.expect(Token.Kind.BLOCK_END);
        }
        default -> {
          if (!endTags.isEmpty()) {
            throw stream.fail(
                "unexpected end of template: looked for '" + String.join("' or '", endTags) + "'");
          }
          return body;
        }
      }
    }
  }

  /** The body of a tag: from the end of its opening to one of the end tags. */
  private List<Statement> parseBody(String... endTags) {
    stream.skipOperator(":");
    stream.expect(Token.Kind.BLOCK_END);
    return parseUntil(List.of(endTags));
  }

  private List<Statement> parseWholeBody(String endTag) {
    List<Statement> body = parseBody(endTag);
    stream.next();
    return body;
  }

  private void parseStatement(List<Statement> body) {
    Token tag = stream.expect(Token.Kind.NAME);
    int line = tag.line();
    switch (tag.text()) {
      case "set" -> body.add(parseSet(line));
      case "for" -> body.add(parseFor(line));
      case "if" -> body.add(parseIf(line));
      case "macro" -> body.add(parseMacro(line));
      case "call" -> body.add(parseCallBlock(line));
      case "filter" -> {
        Expression.Filter filter = filterChain();
        body.add(new Statement.FilterBlock(filter, parseWholeBody("endfilter"), line));
      }
      case "with" -> body.add(parseWith(line));
      case "block" -> body.add(parseBlock(line));
      case "print" -> parsePrint(body, line);
      case "generation" ->
          body.add(new Statement.Generation(parseWholeBody("endgeneration"), line));
      case "break" -> body.add(new Statement.Break(line));
      case "continue" -> body.add(new Statement.Continue(line));
      default -> throw JinjaException.syntax(refusal(tag.text()), line);
    }
  }

  private static String refusal(String tag) {
    if (NEEDS_OTHER_TEMPLATES.contains(tag)) {
      return "'" + tag + "' needs other templates, which a chat template does not have";
    }
    return tag.equals("autoescape")
        ? "'autoescape' is not supported"
        : "Encountered unknown tag '" + tag + "'.";
  }

  private Statement parseSet(int line) {
    Target target = parseTarget(true);
    if (stream.skipOperator("=")) {
      return new Statement.Assign(target, expressions.parseTuple(true), line);
    }
    Expression.Filter filter = stream.skipOperator("|") ? filterChain() : null;
    return new Statement.AssignBlock(target, filter, parseWholeBody("endset"), line);
  }

  /** A chain of filters that begins without a value. */
  private Expression.Filter filterChain() {
    Expression.Filter first = expressions.parseFilter(null);
    return (Expression.Filter) expressions.parseFilters(first);
  }

  private Statement parseFor(int line) {
    Target target = parseTarget(false);
    stream.expectName("in");
    Expression sequence = expressions.parseTuple(false);
    Expression condition = stream.skipName("if") ? expressions.parse() : null;
    boolean recursive = stream.skipName("recursive");
    List<Statement> body = parseBody("endfor", "else");
    List<Statement> otherwise = stream.next().isName("else") ? parseWholeBody("endfor") : List.of();
    return new Statement.For(target, sequence, condition, recursive, body, otherwise, line);
  }

  private Statement parseIf(int line) {
    List<Statement.Branch> branches = new ArrayList<>();
    while (true) {
      Expression test = expressions.parseTuple(false);
      branches.add(new Statement.Branch(test, parseBody("elif", "else", "endif")));
      Token end = stream.next();
      if (end.isName("endif")) {
        return new Statement.If(branches, List.of(), line);
      }
      if (end.isName("else")) {
        return new Statement.If(branches, parseWholeBody("endif"), line);
      }
    }
  }

  private Statement parseMacro(int line) {
    String name = stream.expect(Token.Kind.NAME).text();
    stream.collectNames();
    Signature declared = parseSignature();
    List<Statement> body = parseWholeBody("endmacro");
    return new Statement.MacroDefinition(name, withNamesRead(declared), body, line);
  }

  private Statement parseCallBlock(int line) {
    boolean hasSignature = stream.current().isOperator("(");
    Signature declared =
        hasSignature ? parseSignature() : new Signature(List.of(), List.of(), false, false, false);
    if (!(expressions.parse() instanceof Expression.Call call)) {
      throw JinjaException.syntax("expected a call in a call block", line);
    }
    stream.collectNames();
    List<Statement> body = parseWholeBody("endcall");
    return new Statement.CallBlock(call, withNamesRead(declared), body, line);
  }

  private Signature withNamesRead(Signature signature) {
    Set<String> names = stream.collectedNames();
    return new Signature(
        signature.parameters(),
        signature.defaults(),
        names.contains("varargs"),
        names.contains("kwargs"),
        names.contains("caller"));
  }

  private Signature parseSignature() {
    List<String> parameters = new ArrayList<>();
    List<Expression> defaults = new ArrayList<>();
    stream.expectOperator("(");
    while (!stream.current().isOperator(")")) {
      if (!parameters.isEmpty()) {
        stream.expectOperator(",");
      }
      parameters.add(stream.expect(Token.Kind.NAME).text());
      if (stream.skipOperator("=")) {
        defaults.add(expressions.parse());
      } else if (!defaults.isEmpty()) {
        throw stream.fail("non-default argument follows default argument");
      }
    }
    stream.expectOperator(")");
    return new Signature(parameters, defaults, false, false, false);
  }

  private Statement parseWith(int line) {
    List<Target> targets = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (stream.current().kind() != Token.Kind.BLOCK_END) {
      if (!targets.isEmpty()) {
        stream.expectOperator(",");
      }
      targets.add(new Target.Variable(stream.expect(Token.Kind.NAME).text()));
      stream.expectOperator("=");
      values.add(expressions.parse());
    }
    return new Statement.With(targets, values, parseWholeBody("endwith"), line);
  }

  private Statement parseBlock(int line) {
    String name = stream.expect(Token.Kind.NAME).text();
    stream.skipName("scoped");
    stream.skipName("required");
    List<Statement> body = parseWholeBody("endblock");
    stream.skipName(name);
    return new Statement.Block(body, line);
  }

  private void parsePrint(List<Statement> body, int line) {
    do {
      body.add(new Statement.Print(expressions.parse(), line));
    } while (stream.skipOperator(","));
  }

  private Target parseTarget(boolean namespaces) {
    List<Target> targets = new ArrayList<>();
    boolean tuple = false;
    while (!stream.current().isName("in") && !stream.current().isOperator("=")) {
      targets.add(parseSimpleTarget(namespaces));
      if (!stream.skipOperator(",")) {
        break;
      }
      tuple = true;
    }
    if (targets.isEmpty()) {
      throw stream.expected("a name to assign to");
    }
    return tuple ? new Target.Unpacked(targets) : targets.getFirst();
  }

  private Target parseSimpleTarget(boolean namespaces) {
    if (stream.skipOperator("(")) {
      stream.enter();
      Target inner = parseTarget(false);
      stream.leave();
      stream.expectOperator(")");
      return inner;
    }
    String name = stream.expect(Token.Kind.NAME).text();
    if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) {
      throw stream.fail("can't assign to '" + name + "'");
    }
    if (namespaces && stream.skipOperator(".")) {
      return new Target.NamespaceAttribute(name, stream.expect(Token.Kind.NAME).text());
    }
    return new Target.Variable(name);
  }
}
