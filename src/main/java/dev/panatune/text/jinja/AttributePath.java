package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Looks up what the {@code attribute} of a filter names, such as {@code function.name}. */
final class AttributePath {
  private AttributePath() {}

  /**
   * The look-up as a function of an item.
   *
   * @param path names with dots, an index, or null for the item itself
   * @param missing what stands for an attribute that is not there; null leaves it undefined
   * @param foldsCase whether text is made lower case
   */
  static Function<Object, Object> of(
      Object path, Object missing, boolean foldsCase, Attributes attributes, Budget budget) {
    List<Object> parts = parts(path, budget);
    return item -> {
      Object result = item;
      for (Object part : parts) {
        result = attributes.item(result, part);
        result = result instanceof Undefined && missing != null ? missing : result;
      }
      return foldsCase ? folded(result) : result;
    };
  }

  private static List<Object> parts(Object path, Budget budget) {
    List<Object> parts = new ArrayList<>();
    if (path instanceof Long) {
      parts.add(path);
    } else if (path != null) {
      for (String part : Representation.str(path, budget).split("\\.", -1)) {
        parts.add(part.matches("\\d{1,9}") ? (Object) Long.valueOf(part) : part);
      }
    }
    return parts;
  }

  static Object folded(Object value) {
    return value instanceof String text ? PythonText.lower(text) : value;
  }
}
