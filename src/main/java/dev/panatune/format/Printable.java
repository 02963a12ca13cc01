package dev.panatune.format;

import java.nio.file.Path;

/**
 * Makes text from a file fit for a message: a name may be a megabyte long or hold escape sequences
 * that a terminal would obey.
 */
final class Printable {
  private static final int LONGEST = 160;

  private Printable() {}

  /** Returns {@code text} in double quotes, with control characters escaped, cut when long. */
  static String quoted(String text) {
    return '"' + escaped(text, LONGEST) + '"';
  }

  /** Returns the path, with control characters escaped. */
  static String path(Path path) {
    return escaped(path.toString(), Integer.MAX_VALUE);
  }

  private static String escaped(String text, int longest) {
    int end = Math.min(text.length(), longest);
    StringBuilder result = new StringBuilder(end + 16);
    for (int i = 0; i < end; i++) {
      char c = text.charAt(i);
      int type = Character.getType(c);
      boolean harmless =
          type != Character.CONTROL
              && type != Character.FORMAT
              && type != Character.SURROGATE
              && type != Character.LINE_SEPARATOR
              && type != Character.PARAGRAPH_SEPARATOR;
      if (harmless) {
        result.append(c);
      } else {
        result.append(String.format("\\u%04x", (int) c));
      }
    }
    if (end < text.length()) {
      result.append("... (").append(text.length()).append(" characters)");
    }
    return result.toString();
  }
}
