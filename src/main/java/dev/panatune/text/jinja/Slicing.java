package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** {@code target[start:stop:step]}; what is absent is null. */
record Slicing(Object start, Object stop, Object step) {
  /** The places of a slice in a sequence of a known length. */
  private record Places(long from, long to, long stride) {
    int count() {
      long span = stride > 0 ? to - from : from - to;
      return span <= 0 ? 0 : (int) ((span - 1) / Math.abs(stride) + 1);
    }

    int at(int index) {
      return (int) (from + index * stride);
    }
  }

  Object of(Object target, Budget budget) {
    return switch (target) {
      case Undefined u -> throw u.failure();
      case String s -> characters(s, budget);
      case Range r -> {
        Places places = places(r.size());
        yield r.slice(places.from(), places.to(), places.stride());
      }
      case List<?> l -> elements(l, budget);
      case Tuple t -> new Tuple(elements(t.items(), budget));
      case Map<?, ?> m -> throw JinjaException.type("unhashable type: 'slice'");
      case null, default ->
          throw JinjaException.type(
              "'" + PythonValue.typeName(target) + "' object is not subscriptable");
    };
  }

  private String characters(String text, Budget budget) {
    int[] characters = budget.made(text).codePoints().toArray();
    Places places = places(characters.length);
    StringBuilder result = new StringBuilder();
    for (int i = 0; i < places.count(); i++) {
      result.appendCodePoint(characters[places.at(i)]);
    }
    return result.toString();
  }

  private List<Object> elements(List<?> items, Budget budget) {
    Places places = places(items.size());
    budget.steps(places.count());
    List<Object> result = new ArrayList<>(places.count());
    for (int i = 0; i < places.count(); i++) {
      result.add(items.get(places.at(i)));
    }
    return result;
  }

  private Places places(int size) {
    long stride = step == null ? 1 : index(step);
    if (stride == 0) {
      throw JinjaException.type("slice step cannot be zero");
    }
    long low = stride > 0 ? 0 : -1;
    long high = stride > 0 ? size : size - 1;
    long from = start == null ? (stride > 0 ? low : high) : bounded(start, size, low, high);
    long to = stop == null ? (stride > 0 ? high : low) : bounded(stop, size, low, high);
    return new Places(from, to, stride);
  }

  private static long bounded(Object bound, int size, long low, long high) {
    long value = index(bound);
    return Math.clamp(value < 0 ? value + size : value, low, high);
  }

  private static long index(Object value) {
    if (value instanceof Long || value instanceof Boolean) {
      return Math.clamp(Ordering.toLong(value), Integer.MIN_VALUE, Integer.MAX_VALUE);
    }
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    throw JinjaException.type("slice indices must be integers or None");
  }
}
