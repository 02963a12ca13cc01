package dev.panatune.text.jinja;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Filters that give text; what is no text is made text first. */
final class TextFilters {
  private static final Pattern WORD = Pattern.compile("[\\w]+", Pattern.UNICODE_CHARACTER_CLASS);
  private static final Pattern WORD_BEGINNING =
      Pattern.compile("[-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);

  private final Budget budget;

  TextFilters(Budget budget) {
    this.budget = budget;
  }

  void addTo(Map<String, Filters.Filter> filters) {
    filters.put("string", (value, arguments) -> str(value));
    filters.put("safe", (value, arguments) -> str(value));
    filters.put("upper", (value, arguments) -> budget.made(PythonText.upper(str(value))));
    filters.put("lower", (value, arguments) -> budget.made(PythonText.lower(str(value))));
    filters.put("capitalize", (value, arguments) -> PythonText.capitalize(str(value)));
    filters.put("title", (value, arguments) -> title(str(value)));
    filters.put("trim", this::trim);
    filters.put("replace", this::replace);
    filters.put("indent", this::indent);
    filters.put("truncate", this::truncate);
    filters.put("center", this::center);
    filters.put("format", this::format);
    filters.put("tojson", (value, arguments) -> JsonText.filter(value, arguments, budget));
    filters.put("e", (value, arguments) -> escape(str(value)));
    filters.put("escape", (value, arguments) -> escape(str(value)));
    filters.put("forceescape", (value, arguments) -> escape(str(value)));
    filters.put("urlencode", (value, arguments) -> urlEncode(str(value)));
    filters.put("wordcount", (value, arguments) -> WORD.matcher(str(value)).results().count());
  }

  private String str(Object value) {
    return Representation.str(value, budget);
  }

  /** What a filter takes that makes no text of other values. */
  private static String text(String filter, Object value) {
    return Arguments.of(value).bind(filter, "s", Arguments.REQUIRED).text(0);
  }

  private Object trim(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("trim", "chars", null);
    return budget.made(PythonText.strip(str(value), bound.textOrNull(0)));
  }

  private Object replace(Object value, Arguments arguments) {
    Arguments.Bound bound =
        arguments.bind(
            "replace", "old", Arguments.REQUIRED, "new", Arguments.REQUIRED, "count", null);
    long count = bound.value(2) == null ? -1 : bound.integer(2);
    return StringMethods.replace(
        str(value), str(bound.value(0)), str(bound.value(1)), count, budget);
  }

  private String title(String text) {
    StringBuilder result = new StringBuilder(budget.made(text).length());
    Matcher separator = WORD_BEGINNING.matcher(text);
    int from = 0;
    while (separator.find()) {
      result.append(titleWord(text.substring(from, separator.start()))).append(separator.group());
      from = separator.end();
    }
    return result.append(titleWord(text.substring(from))).toString();
  }

  private static String titleWord(String word) {
    if (word.isEmpty()) {
      return word;
    }
    int first = word.offsetByCodePoints(0, 1);
    return PythonText.upper(word.substring(0, first)) + PythonText.lower(word.substring(first));
  }

  private Object indent(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("indent", "width", 4L, "first", false, "blank", false);
    String prefix =
        bound.value(0) instanceof String s
            ? s
            : " ".repeat(Math.clamp(bound.integer(0), 0, 10_000));
    String[] lines = (text("indent", value) + "\n").split("\n", -1);
    StringBuilder result = new StringBuilder();
    for (int i = 0; i < lines.length - 1; i++) {
      boolean indented = i == 0 ? bound.isTrue(1) : bound.isTrue(2) || !lines[i].isEmpty();
      budget.characters((long) prefix.length() + lines[i].length() + 1);
      result.append(i == 0 ? "" : "\n").append(indented ? prefix : "").append(lines[i]);
    }
    return result.toString();
  }

  private Object truncate(Object value, Arguments arguments) {
    Arguments.Bound bound =
        arguments.bind("truncate", "length", 255L, "killwords", false, "end", "...", "leeway", 5L);
    long length = bound.integer(0);
    long kept = length - PythonText.length(bound.text(2));
    if (kept < 0) {
      throw JinjaException.type("the length of truncate() is smaller than its end");
    }
    if (PythonValue.length(value) <= length + bound.integer(3)) {
      return value;
    }
    String text = text("truncate", value);
    String start = text.substring(0, text.offsetByCodePoints(0, (int) kept));
    int space = start.lastIndexOf(' ');
    boolean cutsWord = bound.isTrue(1) || space < 0;
    return budget.made((cutsWord ? start : start.substring(0, space)) + bound.text(2));
  }

  private Object center(Object value, Arguments arguments) {
    Object width = arguments.bind("center", "width", 80L).value(0);
    return StringMethods.find("center").orElseThrow().call(str(value), Arguments.of(width), budget);
  }

  private Object format(Object value, Arguments arguments) {
    if (!arguments.named().isEmpty()) {
      throw JinjaException.type("the filter 'format' takes no named arguments in chat templates");
    }
    return PrintfFormat.format(str(value), new Tuple(arguments.positional()), budget);
  }

  private String escape(String text) {
    return budget.made(
        text.replace("&", "&amp;")
            .replace(">", "&gt;")
            .replace("<", "&lt;")
            .replace("'", "&#39;")
            .replace("\"", "&#34;"));
  }

  private String urlEncode(String text) {
    return budget.made(
        URLEncoder.encode(text, StandardCharsets.UTF_8)
            .replace("+", "%20")
            .replace("*", "%2A")
            .replace("%7E", "~")
            .replace("%2F", "/"));
  }
}
