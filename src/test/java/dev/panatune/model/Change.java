package dev.panatune.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A {@code config.json} with one value changed.
 *
 * @param what the path of the value
 * @param json the whole of it
 */
record Change(String what, Map<String, Object> json) {
  /** Returns the changes of each value but those of some keys; null stays null. */
  static List<Change> of(Map<String, Object> json, Set<String> except) {
    List<Change> changes = new ArrayList<>();
    json.forEach((key, value) -> {
      if (!except.contains(key)) {
        for (Change change : ofValue(key, value)) {
          Map<String, Object> copy = new LinkedHashMap<>(json);
          copy.put(key, change.json.get(key));
          changes.add(new Change(change.what, copy));
        }
      }
    });
    return changes;
  }

  private static List<Change> ofValue(String key, Object value) {
    List<Change> changes = new ArrayList<>();
    switch (value) {
      case Boolean flag -> changes.add(to(key, key, !flag));
      case Integer number -> changes.add(to(key, key, number < 2 ? 1 - number : number + 2));
      case Number number -> changes.add(to(key, key, number.doubleValue() * 1.5));
      case Map<?, ?> map ->
          map.forEach((inner, innerValue) -> {
            for (Change change : ofValue(inner.toString(), innerValue)) {
              Map<Object, Object> copy = new LinkedHashMap<>(map);
              copy.put(inner, change.json.get(inner.toString()));
              changes.add(to(key + "." + change.what, key, copy));
            }
          });
      case List<?> list -> {
        for (int i = 0; i < list.size(); i++) {
          for (Change change : ofValue("" + i, list.get(i))) {
            List<Object> copy = new ArrayList<>(list);
            copy.set(i, change.json.get("" + i));
            changes.add(to(key + "." + change.what, key, copy));
          }
        }
      }
      case String text -> other(text).forEach(other -> changes.add(to(key, key, other)));
      case null, default -> {}
    }
    return changes;
  }

  private static List<String> other(String text) {
    return switch (text) {
      case "sliding_attention" -> List.of("full_attention");
      case "full_attention" -> List.of("sliding_attention");
      case "silu" -> List.of("gelu");
      default -> List.of("silu");
    };
  }

  private static Change to(String what, String key, Object value) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put(key, value);
    return new Change(what, json);
  }
}
