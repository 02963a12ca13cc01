package dev.panatune.text.jinja;

/** What a string literal stands for: Python's escapes. */
final class StringLiteral {
  private final String literal;
  private final int line;
  private final StringBuilder text = new StringBuilder();
  private int position;

  private StringLiteral(String literal, int line) {
    this.literal = literal;
    this.line = line;
  }

  static String unescape(String literal, int line) {
    if (literal.indexOf('\\') < 0) {
      return literal;
    }
    StringLiteral reader = new StringLiteral(literal, line);
    while (reader.position < literal.length()) {
      reader.next();
    }
    return reader.text.toString();
  }

  private void next() {
    char c = literal.charAt(position++);
    if (c != '\\' || position == literal.length()) {
      text.append(c);
      return;
    }
    char escape = literal.charAt(position++);
    switch (escape) {
      case '\n' -> {}
      case '\\', '\'', '"' -> text.append(escape);
      case 'a' -> text.append('\u0007');
      case 'b' -> text.append('\b');
      case 'f' -> text.append('\f');
      case 'n' -> text.append('\n');
      case 'r' -> text.append('\r');
      case 't' -> text.append('\t');
      case 'v' -> text.append('\u000b');
      case 'x' -> hexadecimal(2);
      case 'u' -> hexadecimal(4);
      case 'U' -> hexadecimal(8);
      case 'N' -> throw JinjaException.syntax("\\N{...} in a string is not supported", line);
      default -> {
        if (escape >= '0' && escape <= '7') {
          octal();
        } else {
          text.append('\\').append(escape);
        }
      }
    }
  }

  private void hexadecimal(int digits) {
    int end = position + digits;
    try {
      if (end > literal.length()) {
        throw new NumberFormatException();
      }
      text.appendCodePoint(Integer.parseUnsignedInt(literal, position, end, 16));
    } catch (IllegalArgumentException e) {
      throw JinjaException.syntax("a \\x, \\u or \\U escape in a string is broken", line);
    }
    position = end;
  }

  private void octal() {
    int start = position - 1;
    while (position < literal.length()
        && position < start + 3
        && literal.charAt(position) >= '0'
        && literal.charAt(position) <= '7') {
      position++;
    }
    text.appendCodePoint(Integer.parseInt(literal, start, position, 8));
  }
}
