package dev.panatune.text.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The {@code %} operator on strings: {@code %s %r %d %i %f %x %%} with width and precision. */
final class PrintfFormat {
  private static final Pattern FIELD =
      Pattern.compile("%([-0]*)(\\d{0,4})(?:\\.(\\d{1,3}))?([a-zA-Z%])");

  private PrintfFormat() {}

  static String format(String format, Object values, Budget budget) {
    List<Object> items = values instanceof Tuple t ? t.items() : Arrays.asList(values);
    StringBuilder result = new StringBuilder();
    Matcher field = FIELD.matcher(format);
    int next = 0;
    while (field.find()) {
      budget.step();
      String text;
      if (field.group(4).equals("%")) {
        text = "%";
      } else if (next < items.size()) {
        text = field(field, items.get(next++), budget);
      } else {
        throw JinjaException.type("not enough arguments for format string");
      }
      budget.characters(text.length());
      field.appendReplacement(result, Matcher.quoteReplacement(text));
    }
    if (next < items.size() && !isSubscriptable(values)) {
      throw JinjaException.type("not all arguments converted during string formatting");
    }
    return field.appendTail(result).toString();
  }

  private static String field(Matcher field, Object value, Budget budget) {
    int precision = field.group(3) == null ? -1 : Integer.parseInt(field.group(3));
    String text =
        switch (field.group(4)) {
          case "s" -> truncated(Representation.str(value, budget), precision);
          case "r" -> truncated(Representation.repr(value, budget), precision);
          case "d", "i" -> Long.toString((long) number(value));
          case "x" -> Long.toHexString((long) number(value));
          case "f" ->
              BigDecimal.valueOf(number(value))
                  .setScale(precision < 0 ? 6 : precision, RoundingMode.HALF_EVEN)
                  .toPlainString();
          default ->
              throw JinjaException.type(
                  "the format %" + field.group(4) + " is not supported in templates");
        };
    int width = field.group(2).isEmpty() ? 0 : Integer.parseInt(field.group(2));
    int missing = Math.max(0, width - PythonText.length(text));
    if (field.group(1).contains("-")) {
      return text + " ".repeat(missing);
    }
    boolean zeros = field.group(1).contains("0") && !"sr".contains(field.group(4));
    if (zeros && text.startsWith("-")) {
      return "-" + "0".repeat(missing) + text.substring(1);
    }
    return (zeros ? "0" : " ").repeat(missing) + text;
  }

  private static String truncated(String text, int precision) {
    return precision < 0 || PythonText.length(text) <= precision
        ? text
        : text.substring(0, text.offsetByCodePoints(0, precision));
  }

  private static double number(Object value) {
    if (!Ordering.isNumber(value)) {
      throw JinjaException.type(
          "a number is required for this format, not " + PythonValue.typeName(value));
    }
    return Ordering.toDouble(value);
  }

  /** What Python takes for a mapping of names here, of which a format need not use any. */
  private static boolean isSubscriptable(Object values) {
    return values instanceof Map<?, ?> || values instanceof List<?> || values instanceof Undefined;
  }
}
