package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The methods of strings that cut them. */
final class Splitting {
  private Splitting() {}

  static Object split(String self, Arguments arguments, Budget budget) {
    Arguments.Bound bound = arguments.bind("split", "sep", null, "maxsplit", -1L);
    String separator = separator(bound);
    long most = limit(bound);
    List<Object> parts = new ArrayList<>();
    String rest = separator == null ? PythonText.stripStart(self, null) : self;
    while (parts.size() < most) {
      int at = separator == null ? nextSpace(rest) : rest.indexOf(separator);
      if (at < 0) {
        break;
      }
      add(parts, rest.substring(0, at), budget);
      rest =
          separator == null
              ? PythonText.stripStart(rest.substring(at), null)
              : rest.substring(at + separator.length());
    }
    if (separator == null) {
      rest = parts.size() < most ? PythonText.stripEnd(rest) : rest;
    }
    if (separator != null || !rest.isEmpty()) {
      add(parts, rest, budget);
    }
    return parts;
  }

  static Object splitFromEnd(String self, Arguments arguments, Budget budget) {
    Arguments.Bound bound = arguments.bind("rsplit", "sep", null, "maxsplit", -1L);
    String separator = separator(bound);
    long most = limit(bound);
    List<Object> parts = new ArrayList<>();
    String rest = separator == null ? PythonText.stripEnd(self) : self;
    while (parts.size() < most) {
      int at = separator == null ? lastSpace(rest) : rest.lastIndexOf(separator);
      if (at < 0) {
        break;
      }
      add(parts, rest.substring(at + (separator == null ? 1 : separator.length())), budget);
      rest = rest.substring(0, at);
      rest = separator == null ? PythonText.stripEnd(rest) : rest;
    }
    if (separator == null) {
      rest = parts.size() < most ? PythonText.stripStart(rest, null) : rest;
    }
    if (separator != null || !rest.isEmpty()) {
      add(parts, rest, budget);
    }
    Collections.reverse(parts);
    return parts;
  }

  private static String separator(Arguments.Bound bound) {
    String separator = bound.textOrNull(0);
    if (separator != null && separator.isEmpty()) {
      throw JinjaException.type("empty separator");
    }
    return separator;
  }

  private static long limit(Arguments.Bound bound) {
    return bound.integer(1) < 0 ? Long.MAX_VALUE : bound.integer(1);
  }

  private static void add(List<Object> parts, String part, Budget budget) {
    budget.step();
    parts.add(budget.made(part));
  }

  private static int nextSpace(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (PythonText.isSpace(text.charAt(i))) {
        return i;
      }
    }
    return -1;
  }

  private static int lastSpace(String text) {
    for (int i = text.length() - 1; i >= 0; i--) {
      if (PythonText.isSpace(text.charAt(i))) {
        return i;
      }
    }
    return -1;
  }

  static Object lines(String self, Arguments arguments, Budget budget) {
    boolean keepEnds = arguments.bind("splitlines", "keepends", false).isTrue(0);
    List<Object> lines = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < self.length(); i++) {
      if (!endsLine(self.charAt(i))) {
        continue;
      }
      boolean pair = self.charAt(i) == '\r' && i + 1 < self.length() && self.charAt(i + 1) == '\n';
      int next = pair ? i + 2 : i + 1;
      add(lines, self.substring(start, keepEnds ? next : i), budget);
      start = next;
      i = next - 1;
    }
    if (start < self.length()) {
      add(lines, self.substring(start), budget);
    }
    return lines;
  }

  private static boolean endsLine(char c) {
    return c >= '\n' && c <= '\r'
        || c >= 0x1c && c <= 0x1e
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }

  static Object partition(String method, String self, Arguments arguments, Budget budget) {
    String separator = arguments.bind(method, "sep", Arguments.REQUIRED).text(0);
    if (separator.isEmpty()) {
      throw JinjaException.type("empty separator");
    }
    budget.characters(self.length());
    boolean last = method.equals("rpartition");
    int at = last ? self.lastIndexOf(separator) : self.indexOf(separator);
    if (at < 0) {
      return last ? Tuple.of("", "", self) : Tuple.of(self, "", "");
    }
    return Tuple.of(self.substring(0, at), separator, self.substring(at + separator.length()));
  }
}
