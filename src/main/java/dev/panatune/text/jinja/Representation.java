package dev.panatune.text.jinja;

import java.math.BigDecimal;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Values as text: Python's {@code str} and {@code repr}. */
final class Representation {
  private final Budget budget;
  private final StringBuilder text = new StringBuilder();

  private Representation(Budget budget) {
    this.budget = budget;
  }

  /** {@code str(value)}. */
  static String str(Object value, Budget budget) {
    return switch (value) {
      case String s -> s;
      case Undefined u -> "";
      case null, default -> repr(value, budget);
    };
  }

  static String repr(Object value, Budget budget) {
    Representation writer = new Representation(budget);
    writer.write(value);
    return budget.made(writer.text.toString());
  }

  private void write(Object value) {
    budget.step();
    budget.enter();
    switch (value) {
      case null -> text.append("None");
      case Boolean b -> text.append(b ? "True" : "False");
      case Double d -> text.append(number(d));
      case String s -> text.append(budget.made(quoted(s)));
      case Range r -> text.append(r);
      case List<?> l -> writeAll("[", l, "]");
      case Tuple t -> writeAll("(", t.items(), t.items().size() == 1 ? ",)" : ")");
      case Map<?, ?> m -> writeMap(m);
      case DictView v -> {
        text.append("dict_").append(v.method());
        writeAll("([", v.items(), "])");
      }
      case Undefined u -> text.append("Undefined");
      case Long l -> text.append(l);
      case Generator g -> text.append(g);
      default -> text.append('<').append(PythonValue.typeName(value)).append('>');
    }
    budget.leave();
  }

  private void writeAll(String open, List<?> items, String close) {
    text.append(open);
    for (Iterator<?> i = items.iterator(); i.hasNext(); ) {
      write(i.next());
      if (i.hasNext()) {
        text.append(", ");
      }
    }
    text.append(close);
  }

  private void writeMap(Map<?, ?> map) {
    text.append('{');
    String separator = "";
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      text.append(separator);
      write(entry.getKey());
      text.append(": ");
      write(entry.getValue());
      separator = ", ";
    }
    text.append('}');
  }

  /** {@code repr} of a float: the shortest digits that read back as the same number. */
  static String number(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    BigDecimal exact = new BigDecimal(Double.toString(Math.abs(value))).stripTrailingZeros();
    String digits = exact.unscaledValue().toString();
    int exponent = digits.length() - exact.scale() - 1;
    String sign = value < 0 ? "-" : "";
    if (exponent < -4 || exponent >= 16) {
      String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
      String size = (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
      return sign + digits.charAt(0) + fraction + "e" + (exponent < 0 ? "-" : "+") + size;
    }
    String plain = exact.toPlainString();
    return sign + (plain.contains(".") ? plain : plain + ".0");
  }

  /** {@code repr} of a string. */
  static String quoted(String value) {
    char quote = value.indexOf('\'') >= 0 && value.indexOf('"') < 0 ? '"' : '\'';
    StringBuilder result = new StringBuilder(value.length() + 2).append(quote);
    value
        .codePoints()
        .forEach(c -> {
          switch (c) {
            case '\\' -> result.append("\\\\");
            case '\n' -> result.append("\\n");
            case '\r' -> result.append("\\r");
            case '\t' -> result.append("\\t");
            default -> {
              if (c == quote) {
                result.append('\\').append(quote);
              } else if (isPrintable(c)) {
                result.appendCodePoint(c);
              } else {
                String format = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
                result.append(format.formatted(c));
              }
            }
          }
        });
    return result.append(quote).toString();
  }

  private static boolean isPrintable(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      case Character.SPACE_SEPARATOR -> c == ' ';
      default -> true;
    };
  }
}
