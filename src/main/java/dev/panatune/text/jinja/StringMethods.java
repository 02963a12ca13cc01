package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** The methods of strings. */
final class StringMethods {
  /** A method of a string. */
  @FunctionalInterface
  interface Method {
    Object call(String self, Arguments arguments, Budget budget);
  }

  private static final Map<String, Method> METHODS = new TreeMap<>();

  static {
    METHODS.put("strip", (s, a, b) -> b.made(PythonText.strip(s, characters("strip", a))));
    METHODS.put("lstrip", (s, a, b) -> b.made(PythonText.stripStart(s, characters("lstrip", a))));
    METHODS.put("rstrip", (s, a, b) -> b.made(PythonText.stripEnd(s, characters("rstrip", a))));
    METHODS.put("upper", changed("upper", PythonText::upper));
    METHODS.put("lower", changed("lower", PythonText::lower));
    METHODS.put("casefold", changed("casefold", s -> PythonText.lower(PythonText.upper(s))));
    METHODS.put("title", changed("title", PythonText::title));
    METHODS.put("capitalize", changed("capitalize", PythonText::capitalize));
    METHODS.put("startswith", (s, a, b) -> affix("startswith", s, a));
    METHODS.put("endswith", (s, a, b) -> affix("endswith", s, a));
    METHODS.put("removeprefix", StringMethods::removePrefix);
    METHODS.put("removesuffix", StringMethods::removeSuffix);
    METHODS.put("replace", StringMethods::replace);
    METHODS.put("join", StringMethods::join);
    METHODS.put("find", (s, a, b) -> find("find", s, a, false));
    METHODS.put("rfind", (s, a, b) -> find("rfind", s, a, true));
    METHODS.put("index", (s, a, b) -> found(find("index", s, a, false)));
    METHODS.put("rindex", (s, a, b) -> found(find("rindex", s, a, true)));
    METHODS.put("count", StringMethods::count);
    METHODS.put("split", (s, a, b) -> Splitting.split(s, a, b));
    METHODS.put("rsplit", (s, a, b) -> Splitting.splitFromEnd(s, a, b));
    METHODS.put("splitlines", (s, a, b) -> Splitting.lines(s, a, b));
    METHODS.put("partition", (s, a, b) -> Splitting.partition("partition", s, a, b));
    METHODS.put("rpartition", (s, a, b) -> Splitting.partition("rpartition", s, a, b));
    METHODS.put("ljust", (s, a, b) -> padded("ljust", s, a, b));
    METHODS.put("rjust", (s, a, b) -> padded("rjust", s, a, b));
    METHODS.put("center", (s, a, b) -> padded("center", s, a, b));
    METHODS.put("zfill", StringMethods::zfill);
    METHODS.put("isdigit", tested("isdigit", s -> all(s, Character::isDigit)));
    METHODS.put("isdecimal", tested("isdecimal", s -> all(s, Character::isDigit)));
    METHODS.put("isnumeric", tested("isnumeric", s -> all(s, StringMethods::isNumeric)));
    METHODS.put("isalpha", tested("isalpha", s -> all(s, Character::isLetter)));
    METHODS.put(
        "isalnum", tested("isalnum", s -> all(s, c -> Character.isLetter(c) || isNumeric(c))));
    METHODS.put("isspace", tested("isspace", s -> all(s, PythonText::isSpace)));
    METHODS.put("isupper", tested("isupper", StringMethods::isUpper));
    METHODS.put("islower", tested("islower", StringMethods::isLower));
    METHODS.put("format", StringMethods::unsupportedFormat);
    METHODS.put("format_map", StringMethods::unsupportedFormat);
    METHODS.put("encode", StringMethods::unsupportedFormat);
  }

  private StringMethods() {}

  private static Method changed(String name, UnaryOperator<String> change) {
    return (self, arguments, budget) -> {
      arguments.bind(name);
      return budget.made(change.apply(self));
    };
  }

  private static Method tested(String name, Predicate<String> test) {
    return (self, arguments, budget) -> {
      arguments.bind(name);
      return test.test(self);
    };
  }

  static Optional<Method> find(String name) {
    return Optional.ofNullable(METHODS.get(name));
  }

  private static Object unsupportedFormat(String self, Arguments arguments, Budget budget) {
    throw JinjaException.type(
        "str.format, str.format_map and str.encode are not supported in templates; use ~ or %");
  }

  private static String characters(String method, Arguments arguments) {
    return arguments.bind(method, "chars", null).textOrNull(0);
  }

  private static boolean affix(String method, String self, Arguments arguments) {
    Arguments.Bound bound =
        arguments.bind(method, "affix", Arguments.REQUIRED, "start", 0L, "end", null);
    long end = bound.value(2) == null ? PythonText.length(self) : bound.integer(2);
    String text = part(self, bound.integer(1), end);
    List<Object> affixes = bound.value(0) instanceof Tuple t ? t.items() : List.of(bound.text(0));
    return affixes.stream()
        .anyMatch(affix -> {
          if (!(affix instanceof String s)) {
            throw JinjaException.type(method + "() needs str or a tuple of str");
          }
          return method.equals("startswith") ? text.startsWith(s) : text.endsWith(s);
        });
  }

  /** The characters from start to end, counted as Python counts. */
  private static String part(String self, long start, long end) {
    int size = PythonText.length(self);
    long from = Math.clamp(start < 0 ? start + size : start, 0, size);
    long to = Math.clamp(end < 0 ? end + size : end, 0, size);
    if (from >= to) {
      return "";
    }
    return self.substring(
        self.offsetByCodePoints(0, (int) from), self.offsetByCodePoints(0, (int) to));
  }

  private static Object removePrefix(String self, Arguments arguments, Budget budget) {
    String prefix = arguments.bind("removeprefix", "prefix", Arguments.REQUIRED).text(0);
    return budget.made(self.startsWith(prefix) ? self.substring(prefix.length()) : self);
  }

  private static Object removeSuffix(String self, Arguments arguments, Budget budget) {
    String suffix = arguments.bind("removesuffix", "suffix", Arguments.REQUIRED).text(0);
    boolean ends = !suffix.isEmpty() && self.endsWith(suffix);
    return budget.made(ends ? self.substring(0, self.length() - suffix.length()) : self);
  }

  private static Object replace(String self, Arguments arguments, Budget budget) {
    Arguments.Bound bound =
        arguments.bind(
            "replace", "old", Arguments.REQUIRED, "new", Arguments.REQUIRED, "count", -1L);
    return replace(self, bound.text(0), bound.text(1), bound.integer(2), budget);
  }

  /** {@code str.replace}; a negative count replaces all. */
  static String replace(String self, String old, String replacement, long count, Budget budget) {
    StringBuilder result = new StringBuilder();
    long left = count < 0 ? Long.MAX_VALUE : count;
    int from = 0;
    for (int at = self.indexOf(old); at >= 0 && left > 0; left--) {
      budget.step();
      budget.characters(replacement.length());
      result.append(self, from, at).append(replacement);
      from = at + old.length();
      if (!old.isEmpty()) {
        at = self.indexOf(old, from);
      } else if (at == self.length()) {
        break;
      } else {
        at = self.offsetByCodePoints(at, 1);
      }
    }
    budget.characters(self.length() - from);
    return result.append(self, from, self.length()).toString();
  }

  private static Object join(String self, Arguments arguments, Budget budget) {
    Object values = arguments.bind("join", "iterable", Arguments.REQUIRED).value(0);
    List<String> parts = new ArrayList<>();
    PythonValue.iterate(values)
        .forEachRemaining(value -> {
          if (!(value instanceof String part)) {
            throw JinjaException.type(
                "sequence item "
                    + parts.size()
                    + ": expected str instance, "
                    + PythonValue.typeName(value)
                    + " found");
          }
          budget.characters((long) part.length() + self.length());
          parts.add(part);
        });
    return String.join(self, parts);
  }

  private static long find(String method, String self, Arguments arguments, boolean last) {
    Arguments.Bound bound =
        arguments.bind(method, "sub", Arguments.REQUIRED, "start", 0L, "end", null);
    int size = PythonText.length(self);
    long end = bound.value(2) == null ? size : bound.integer(2);
    long start = bound.integer(1);
    String text = part(self, start, end);
    int at = last ? text.lastIndexOf(bound.text(0)) : text.indexOf(bound.text(0));
    long skipped = Math.clamp(start < 0 ? start + size : start, 0, size);
    return at < 0 ? -1 : skipped + text.codePointCount(0, at);
  }

  private static long found(long index) {
    if (index < 0) {
      throw JinjaException.type("substring not found");
    }
    return index;
  }

  private static Object count(String self, Arguments arguments, Budget budget) {
    String sought = arguments.bind("count", "sub", Arguments.REQUIRED).text(0);
    if (sought.isEmpty()) {
      return (long) PythonText.length(self) + 1;
    }
    long count = 0;
    for (int at = self.indexOf(sought); at >= 0; at = self.indexOf(sought, at + sought.length())) {
      budget.step();
      count++;
    }
    return count;
  }

  private static Object padded(String method, String self, Arguments arguments, Budget budget) {
    Arguments.Bound bound = arguments.bind(method, "width", Arguments.REQUIRED, "fillchar", " ");
    if (PythonText.length(bound.text(1)) != 1) {
      throw JinjaException.type("the fill character of " + method + "() must be one character");
    }
    long missing = Math.max(0, bound.integer(0) - PythonText.length(self));
    budget.characters(self.length() + missing);
    long left =
        switch (method) {
          case "ljust" -> 0;
          case "rjust" -> missing;
          default -> missing / 2 + (missing & bound.integer(0) & 1);
        };
    return bound.text(1).repeat((int) left) + self + bound.text(1).repeat((int) (missing - left));
  }

  private static Object zfill(String self, Arguments arguments, Budget budget) {
    long width = arguments.bind("zfill", "width", Arguments.REQUIRED).integer(0);
    long missing = Math.max(0, width - PythonText.length(self));
    budget.characters(self.length() + missing);
    int sign = self.startsWith("-") || self.startsWith("+") ? 1 : 0;
    return self.substring(0, sign) + "0".repeat((int) missing) + self.substring(sign);
  }

  private static boolean all(String self, IntPredicate test) {
    return !self.isEmpty() && self.codePoints().allMatch(test);
  }

  private static boolean isNumeric(int c) {
    int type = Character.getType(c);
    return type == Character.DECIMAL_DIGIT_NUMBER
        || type == Character.LETTER_NUMBER
        || type == Character.OTHER_NUMBER;
  }

  static boolean isUpper(String text) {
    return text.codePoints().anyMatch(Character::isUpperCase)
        && text.codePoints().noneMatch(c -> Character.isLowerCase(c) || Character.isTitleCase(c));
  }

  static boolean isLower(String text) {
    return text.codePoints().anyMatch(Character::isLowerCase)
        && text.codePoints().noneMatch(c -> Character.isUpperCase(c) || Character.isTitleCase(c));
  }
}
