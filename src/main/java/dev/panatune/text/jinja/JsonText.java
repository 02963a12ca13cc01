package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Values as JSON: Python's {@code json.dumps} with the options of the tojson filter. */
final class JsonText {
  private final boolean ascii;
  private final String indent;
  private final String itemSeparator;
  private final String keySeparator;
  private final boolean sorted;
  private final Budget budget;
  private final StringBuilder text = new StringBuilder();

  private JsonText(
      boolean ascii,
      String indent,
      String itemSeparator,
      String keySeparator,
      boolean sorted,
      Budget budget) {
    this.ascii = ascii;
    this.indent = indent;
    this.itemSeparator = itemSeparator;
    this.keySeparator = keySeparator;
    this.sorted = sorted;
    this.budget = budget;
  }

  /**
   * The tojson filter: {@code ensure_ascii=False, indent=None, separators=None, sort_keys=False}.
   */
  static String filter(Object value, Arguments arguments, Budget budget) {
    Arguments.Bound bound =
        arguments.bind(
            "tojson",
            "ensure_ascii",
            false,
            "indent",
            null,
            "separators",
            null,
            "sort_keys",
            false);
    String indent =
        switch (bound.value(1)) {
          case null -> null;
          case String s -> s;
          default -> " ".repeat(Math.toIntExact(Math.clamp(bound.integer(1), 0, 1000)));
        };
    String item = indent == null ? ", " : ",";
    String key = ": ";
    if (bound.value(2) != null) {
      List<Object> separators = PythonValue.toList(bound.value(2), budget);
      if (separators.size() != 2) {
        throw JinjaException.type("separators of tojson must be two strings");
      }
      item = Representation.str(separators.get(0), budget);
      key = Representation.str(separators.get(1), budget);
    }
    JsonText writer = new JsonText(bound.isTrue(0), indent, item, key, bound.isTrue(3), budget);
    writer.write(value, 0);
    return writer.text.toString();
  }

  private void write(Object value, int depth) {
    budget.step();
    if (depth > budget.maxDepth()) {
      throw JinjaException.limit("a value nests deeper than " + budget.maxDepth());
    }
    switch (value) {
      case null -> text.append("null");
      case Boolean b -> text.append(b);
      case Long l -> text.append(l);
      case Double d -> text.append(number(d));
      case String s -> writeString(s);
      case Range r -> throw notSerializable(r);
      case List<?> l -> writeList(l, depth);
      case Tuple t -> writeList(t.items(), depth);
      case Map<?, ?> m -> writeMap(m, depth);
      default -> throw notSerializable(value);
    }
  }

  private static JinjaException notSerializable(Object value) {
    return JinjaException.type(
        "Object of type " + PythonValue.typeName(value) + " is not JSON serializable");
  }

  private static String number(double value) {
    if (Double.isNaN(value)) {
      return "NaN";
    }
    return Double.isInfinite(value)
        ? (value > 0 ? "Infinity" : "-Infinity")
        : Representation.number(value);
  }

  private void writeList(List<?> items, int depth) {
    text.append('[');
    boolean first = true;
    for (Object item : items) {
      separate(first, depth + 1);
      write(item, depth + 1);
      first = false;
    }
    close(first, depth, ']');
  }

  private void writeMap(Map<?, ?> map, int depth) {
    List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
    if (sorted) {
      entries.sort((a, b) -> Ordering.compare(a.getKey(), b.getKey(), budget));
    }
    text.append('{');
    boolean first = true;
    for (Map.Entry<?, ?> entry : entries) {
      separate(first, depth + 1);
      writeString(key(entry.getKey()));
      text.append(keySeparator);
      write(entry.getValue(), depth + 1);
      first = false;
    }
    close(first, depth, '}');
  }

  private static String key(Object key) {
    return switch (key) {
      case String s -> s;
      case null -> "null";
      case Boolean b -> b.toString();
      case Long l -> l.toString();
      case Double d -> number(d);
      default ->
          throw JinjaException.type(
              "keys must be str, int, float, bool or None, not " + PythonValue.typeName(key));
    };
  }

  private void separate(boolean first, int depth) {
    if (!first) {
      text.append(itemSeparator);
    }
    newLine(depth);
  }

  private void close(boolean empty, int depth, char bracket) {
    if (!empty) {
      newLine(depth);
    }
    text.append(bracket);
  }

  private void newLine(int depth) {
    if (indent != null) {
      budget.characters((long) indent.length() * depth);
      text.append('\n').repeat(indent, depth);
    }
  }

  private void writeString(String value) {
    budget.characters(value.length());
    text.append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '"' -> text.append("\\\"");
        case '\\' -> text.append("\\\\");
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        case '\t' -> text.append("\\t");
        case '\f' -> text.append("\\f");
        case '\b' -> text.append("\\b");
        default -> {
          if (c < 0x20 || ascii && c > 0x7e) {
            text.append("\\u%04x".formatted((int) c));
          } else {
            text.append(c);
          }
        }
      }
    }
    text.append('"');
  }
}
