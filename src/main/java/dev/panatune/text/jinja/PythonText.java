package dev.panatune.text.jinja;

import java.util.Locale;

/** Strings as Python sees them: sequences of code points, with Python's idea of white space. */
final class PythonText {
  private PythonText() {}

  static boolean isSpace(int c) {
    return switch (c) {
      case 0x1c,
          0x1d,
          0x1e,
          0x1f,
          ' ',
          0x85,
          0xa0,
          0x1680,
          0x2028,
          0x2029,
          0x202f,
          0x205f,
          0x3000 ->
          true;
      default -> c >= '\t' && c <= '\r' || c >= 0x2000 && c <= 0x200a;
    };
  }

  /** Whether there is only white space from an index on, and at least one of it. */
  static boolean isBlank(String text, int from) {
    for (int i = from; i < text.length(); i++) {
      if (!isSpace(text.charAt(i))) {
        return false;
      }
    }
    return from < text.length();
  }

  static String strip(String text, String characters) {
    return stripEnd(stripStart(text, characters), characters);
  }

  static String stripEnd(String text) {
    return stripEnd(text, null);
  }

  /** Without the given characters (null: white space) at its end. */
  static String stripEnd(String text, String characters) {
    int end = text.length();
    while (end > 0) {
      int c = text.codePointBefore(end);
      if (!strips(c, characters)) {
        break;
      }
      end -= Character.charCount(c);
    }
    return text.substring(0, end);
  }

  /** Without the given characters (null: white space) at its start. */
  static String stripStart(String text, String characters) {
    int start = 0;
    while (start < text.length()) {
      int c = text.codePointAt(start);
      if (!strips(c, characters)) {
        break;
      }
      start += Character.charCount(c);
    }
    return text.substring(start);
  }

  private static boolean strips(int c, String characters) {
    return characters == null ? isSpace(c) : characters.indexOf(c) >= 0;
  }

  static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  /** The one-character string at a place that is known to exist. */
  static String at(String text, int index) {
    int start = text.offsetByCodePoints(0, index);
    return Character.toString(text.codePointAt(start));
  }

  /** By code points, where {@link String#compareTo} goes by UTF-16 units. */
  static int compare(String left, String right) {
    int i = 0;
    int common = Math.min(left.length(), right.length());
    while (i < common && left.charAt(i) == right.charAt(i)) {
      i++;
    }
    if (i == common) {
      return Integer.compare(left.length(), right.length());
    }
    if (i > 0
        && Character.isHighSurrogate(left.charAt(i - 1))
        && Character.isLowSurrogate(left.charAt(i))) {
      i--;
    }
    return Integer.compare(left.codePointAt(i), right.codePointAt(i));
  }

  static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.offsetByCodePoints(0, 1);
    return titleCase(text.codePointAt(0)) + lower(text.substring(first));
  }

  static String titleCase(int c) {
    int title = Character.toTitleCase(c);
    return title == c && Character.isLowerCase(c)
        ? upper(Character.toString(c))
        : Character.toString(title);
  }

  static String lower(String text) {
    return text.toLowerCase(Locale.ROOT);
  }

  static String upper(String text) {
    return text.toUpperCase(Locale.ROOT);
  }

  /** {@code str.title}: a letter after something that is no letter is in title case. */
  static String title(String text) {
    StringBuilder result = new StringBuilder(text.length());
    boolean inWord = false;
    for (int c : text.codePoints().toArray()) {
      boolean cased =
          Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
      if (!cased) {
        result.appendCodePoint(c);
      } else {
        result.append(inWord ? lower(Character.toString(c)) : titleCase(c));
      }
      inWord = cased;
    }
    return result.toString();
  }
}
