package dev.panatune.text.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into tokens, with {@code trim_blocks} and {@code lstrip_blocks} on and a single
 * trailing newline dropped, as transformers sets Jinja up.
 */
final class Lexer {
  private static final Pattern NEWLINE = Pattern.compile("\r\n|\r|\n");
  private static final Pattern FLOAT =
      Pattern.compile(
          "(?<!\\.)(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?[eE][+\\-]?(?:\\d+_)*\\d+"
              + "|\\.(?:\\d+_)*\\d+)");
  private static final Pattern INTEGER =
      Pattern.compile("0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[0-9](?:_?\\d)*");
  private static final List<String> OPERATORS =
      List.of(
          "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{",
          "}", ">", "<", "=", ".", ":", "|", ",", ";");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int position;
  private int line = 1;
  private boolean lineStarting = true;

  private Lexer(String source) {
    this.source = source;
  }

  static List<Token> tokenize(String template) {
    String source = NEWLINE.matcher(template).replaceAll("\n");
    if (source.endsWith("\n")) {
      source = source.substring(0, source.length() - 1);
    }
    Lexer lexer = new Lexer(source);
    lexer.run();
    return lexer.tokens;
  }

  private void run() {
    while (position < source.length()) {
      int tag = nextTag(position);
      if (tag < 0) {
        add(Token.Kind.DATA, source.substring(position));
        position = source.length();
        break;
      }
      char kind = source.charAt(tag + 1);
      char sign = signAt(tag + 2);
      String text = strippedBefore(source.substring(position, tag), sign, kind != '{');
      if (!text.isEmpty()) {
        add(Token.Kind.DATA, text);
      }
      advance(tag + (sign == 0 ? 2 : 3));
      switch (kind) {
        case '#' -> skipComment();
        case '{' -> {
          add(Token.Kind.VARIABLE_BEGIN, "{{");
          lexTag("}}", Token.Kind.VARIABLE_END);
        }
        default -> {
          int raw = rawBegin();
          if (raw >= 0) {
            advance(raw);
            lexRaw();
          } else {
            add(Token.Kind.BLOCK_BEGIN, "{%");
            lexTag("%}", Token.Kind.BLOCK_END);
          }
        }
      }
    }
    add(Token.Kind.END, "");
  }

  private int nextTag(int from) {
    for (int i = source.indexOf('{', from); i >= 0; i = source.indexOf('{', i + 1)) {
      if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return -1;
  }

  private char signAt(int index) {
    char c = index < source.length() ? source.charAt(index) : 0;
    return c == '-' || c == '+' ? c : 0;
  }

  /** The text before a tag after what the tag's sign and lstrip_blocks take from its end. */
  private String strippedBefore(String text, char sign, boolean isBlock) {
    if (sign == '-') {
      return PythonText.stripEnd(text);
    }
    if (sign != '+' && isBlock) {
      int lineStart = text.lastIndexOf('\n') + 1;
      if ((lineStart > 0 || lineStarting) && PythonText.isBlank(text, lineStart)) {
        return text.substring(0, lineStart);
      }
    }
    return text;
  }

  private void skipComment() {
    int end = source.indexOf("#}", position);
    if (end < 0) {
      throw JinjaException.syntax("Missing end of comment tag", line);
    }
    char sign = end > position ? signAt(end - 1) : 0;
    finishTag(end + 2, sign, true);
  }

  /** Where the text of a raw block begins, if this block tag opens one; else -1. */
  private int rawBegin() {
    int word = skipSpace(position);
    if (!source.startsWith("raw", word)) {
      return -1;
    }
    int end = skipSpace(word + 3);
    if (source.startsWith("-%}", end)) {
      return skipSpace(end + 3);
    }
    return source.startsWith("%}", end) ? end + 2 : -1;
  }

  private void lexRaw() {
    lineStarting = position > 0 && source.charAt(position - 1) == '\n';
    for (int tag = source.indexOf("{%", position); tag >= 0; tag = source.indexOf("{%", tag + 1)) {
      char sign = signAt(tag + 2);
      int word = skipSpace(tag + (sign == 0 ? 2 : 3));
      if (!source.startsWith("endraw", word)) {
        continue;
      }
      int end = skipSpace(word + 6);
      char endSign = signAt(end);
      int close = endSign == 0 ? end : end + 1;
      if (source.startsWith("%}", close)) {
        String text = strippedBefore(source.substring(position, tag), sign, true);
        if (!text.isEmpty()) {
          add(Token.Kind.DATA, text);
        }
        finishTag(close + 2, endSign, true);
        return;
      }
    }
    throw JinjaException.syntax("Missing end of raw directive", line);
  }

  private void lexTag(String close, Token.Kind end) {
    Deque<Character> open = new ArrayDeque<>();
    while (position < source.length()) {
      if (open.isEmpty() && atTagEnd(close, end)) {
        return;
      }
      char c = source.charAt(position);
      if (PythonText.isSpace(c)) {
        advance(position + 1);
      } else if (c >= '0' && c <= '9') {
        lexNumber();
      } else if (c == '\'' || c == '"') {
        lexString(c);
      } else if (c == '_' || Character.isUnicodeIdentifierPart(source.codePointAt(position))) {
        lexName();
      } else {
        lexOperator(open);
      }
    }
    throw JinjaException.syntax("Unexpected end of template inside of a tag", line);
  }

  private boolean atTagEnd(String close, Token.Kind end) {
    boolean block = end == Token.Kind.BLOCK_END;
    char sign = signAt(position);
    if (sign == '+' && !block) {
      return false;
    }
    int at = sign == 0 ? position : position + 1;
    if (!source.startsWith(close, at)) {
      return false;
    }
    add(end, close);
    finishTag(at + close.length(), sign, block);
    return true;
  }

  /** Goes on after a tag: its sign takes the white space, trim_blocks one newline. */
  private void finishTag(int after, char sign, boolean trims) {
    int next = after;
    if (sign == '-') {
      next = skipSpace(after);
    } else if (sign != '+' && trims && next < source.length() && source.charAt(next) == '\n') {
      next++;
    }
    advance(next);
    lineStarting = source.charAt(next - 1) == '\n';
  }

  private void lexNumber() {
    Matcher number = FLOAT.matcher(source).region(position, source.length());
    number.useTransparentBounds(true);
    Token.Kind kind = Token.Kind.FLOAT;
    if (!number.lookingAt()) {
      number = INTEGER.matcher(source).region(position, source.length());
      kind = Token.Kind.INTEGER;
      number.lookingAt();
    }
    add(kind, number.group().replace("_", ""));
    advance(number.end());
  }

  private void lexString(char quote) {
    int end = position + 1;
    while (end < source.length() && source.charAt(end) != quote) {
      end += source.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= source.length()) {
      throw JinjaException.syntax("a string literal is not closed", line);
    }
    add(Token.Kind.STRING, StringLiteral.unescape(source.substring(position + 1, end), line));
    advance(end + 1);
  }

  private void lexName() {
    int end = position;
    while (end < source.length()) {
      int c = source.codePointAt(end);
      if (c != '_' && !Character.isUnicodeIdentifierPart(c)) {
        break;
      }
      end += Character.charCount(c);
    }
    add(Token.Kind.NAME, source.substring(position, end));
    advance(end);
  }

  private void lexOperator(Deque<Character> open) {
    String operator =
        OPERATORS.stream()
            .filter(o -> source.startsWith(o, position))
            .findFirst()
            .orElseThrow(() ->
                JinjaException.syntax(
                    "unexpected char '" + Character.toString(source.codePointAt(position)) + "'",
                    line));
    switch (operator) {
      case "{" -> open.push('}');
      case "(" -> open.push(')');
      case "[" -> open.push(']');
      case "}", ")", "]" -> {
        if (open.isEmpty()) {
          throw JinjaException.syntax("unexpected '" + operator + "'", line);
        }
        char expected = open.pop();
        if (expected != operator.charAt(0)) {
          throw JinjaException.syntax(
              "unexpected '" + operator + "', expected '" + expected + "'", line);
        }
      }
      default -> {}
    }
    add(Token.Kind.OPERATOR, operator);
    advance(position + operator.length());
  }

  private int skipSpace(int from) {
    int i = from;
    while (i < source.length() && PythonText.isSpace(source.charAt(i))) {
      i++;
    }
    return i;
  }

  private void add(Token.Kind kind, String text) {
    tokens.add(new Token(kind, text, line));
  }

  private void advance(int to) {
    for (int i = position; i < to; i++) {
      if (source.charAt(i) == '\n') {
        line++;
      }
    }
    position = to;
  }
}
