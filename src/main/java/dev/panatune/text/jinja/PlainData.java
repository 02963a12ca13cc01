package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Turns what a caller gives into what templates may see, and lets nothing else in. */
final class PlainData {
  private static final int MAX_DEPTH = 100;

  private PlainData() {}

  /**
   * A copy as plain data.
   *
   * @throws JinjaException for a value that is no null, boolean, number, text, list or mapping
   */
  static Object of(Object value) {
    return of(value, 0);
  }

  private static Object of(Object value, int depth) {
    if (depth > MAX_DEPTH) {
      throw JinjaException.limit("a value given to the template nests deeper than " + MAX_DEPTH);
    }
    return switch (value) {
      case null -> null;
      case Boolean b -> b;
      case Byte n -> n.longValue();
      case Short n -> n.longValue();
      case Integer n -> n.longValue();
      case Long n -> n;
      case Float n -> n.doubleValue();
      case Double n -> n;
      case CharSequence text -> text.toString();
      case List<?> list -> {
        List<Object> copy = new ArrayList<>(list.size());
        list.forEach(item -> copy.add(of(item, depth + 1)));
        yield copy;
      }
      case Map<?, ?> map -> {
        Map<Object, Object> copy = new LinkedHashMap<>();
        map.forEach((key, item) -> copy.put(of(key, depth + 1), of(item, depth + 1)));
        yield copy;
      }
      default ->
          throw JinjaException.type(
              "a template can be given null, booleans, numbers, text, lists and mappings, not "
                  + value.getClass().getName());
    };
  }
}
