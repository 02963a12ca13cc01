package dev.panatune.text.jinja;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** The tokens of a template as the parsers read them, with what they keep in common. */
final class TokenStream {
  private static final int MAX_NESTING = 100;

  private final List<Token> tokens;
  private final Deque<Set<String>> names = new ArrayDeque<>();
  private int position;
  private int nesting;

  TokenStream(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token current() {
    return tokens.get(position);
  }

  Token look() {
    return tokens.get(Math.min(position + 1, tokens.size() - 1));
  }

  Token next() {
    Token token = current();
    if (position < tokens.size() - 1) {
      position++;
    }
    return token;
  }

  int line() {
    return current().line();
  }

  boolean skipOperator(String operator) {
    boolean found = current().isOperator(operator);
    if (found) {
      next();
    }
    return found;
  }

  boolean skipName(String name) {
    boolean found = current().isName(name);
    if (found) {
      next();
    }
    return found;
  }

  void expectOperator(String operator) {
    if (!skipOperator(operator)) {
      throw expected("'" + operator + "'");
    }
  }

  void expectName(String name) {
    if (!skipName(name)) {
      throw expected("'" + name + "'");
    }
  }

  Token expect(Token.Kind kind) {
    if (current().kind() != kind) {
      throw expected(new Token(kind, kind.name().toLowerCase(Locale.ROOT), 0).describe());
    }
    return next();
  }

  JinjaException expected(String what) {
    return fail("expected " + what + ", got " + current().describe());
  }

  JinjaException fail(String reason) {
    return JinjaException.syntax(reason, line());
  }

  /** One level deeper: bounds the stack that a hostile template can use. */
  void enter() {
    if (++nesting > MAX_NESTING) {
      throw JinjaException.limit("the template nests deeper than " + MAX_NESTING).at(line());
    }
  }

  void leave() {
    nesting--;
  }

  /** From here on the names that are read are collected, until {@link #collectedNames()}. */
  void collectNames() {
    names.push(new HashSet<>());
  }

  Set<String> collectedNames() {
    return names.pop();
  }

  void nameRead(String name) {
    names.forEach(set -> set.add(name));
  }
}
