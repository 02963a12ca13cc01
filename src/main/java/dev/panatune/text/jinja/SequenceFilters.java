package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** Filters of sequences and mappings. */
final class SequenceFilters {
  private final Budget budget;
  private final Attributes attributes;

  SequenceFilters(Budget budget, Attributes attributes) {
    this.budget = budget;
    this.attributes = attributes;
  }

  void addTo(Map<String, Filters.Filter> filters) {
    filters.put("list", (value, arguments) -> list(value));
    filters.put("first", (value, arguments) -> first(value));
    filters.put("last", (value, arguments) -> last(value));
    filters.put("reverse", (value, arguments) -> reverse(value));
    filters.put("items", (value, arguments) -> items(value));
    filters.put("join", this::join);
    filters.put("dictsort", this::dictSort);
    filters.put("sort", this::sort);
    filters.put("unique", this::unique);
    filters.put("min", (value, arguments) -> extreme("min", value, arguments));
    filters.put("max", (value, arguments) -> extreme("max", value, arguments));
    filters.put("sum", this::sum);
    filters.put("batch", this::batch);
    filters.put("slice", this::slice);
    filters.put("groupby", this::groupBy);
    filters.put("attr", this::attribute);
  }

  private List<Object> list(Object value) {
    return PythonValue.toList(value, budget);
  }

  private static Object first(Object value) {
    Iterator<Object> elements = PythonValue.iterate(value);
    return elements.hasNext()
        ? elements.next()
        : Undefined.of("No first item, sequence was empty.");
  }

  private Object last(Object value) {
    if (value instanceof Generator) {
      throw JinjaException.type("'generator' object is not reversible");
    }
    List<Object> elements = list(value);
    return elements.isEmpty()
        ? Undefined.of("No last item, sequence was empty.")
        : elements.getLast();
  }

  private Object reverse(Object value) {
    if (value instanceof String text) {
      return new StringBuilder(budget.made(text)).reverse().toString();
    }
    List<Object> elements = list(value);
    Collections.reverse(elements);
    return new Generator(elements);
  }

  private Object items(Object value) {
    return switch (value) {
      case Undefined u -> new Generator(List.of());
      case Map<?, ?> m -> new Generator(Attributes.items(m));
      case null, default -> throw JinjaException.type("Can only get item pairs from a mapping.");
    };
  }

  private Object join(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("join", "d", "", "attribute", null);
    String separator = Representation.str(bound.value(0), budget);
    Function<Object, Object> getter = getter(bound.value(1), false);
    StringBuilder result = new StringBuilder();
    String between = "";
    for (Iterator<Object> i = PythonValue.iterate(value); i.hasNext(); ) {
      budget.step();
      String part = Representation.str(getter.apply(i.next()), budget);
      budget.characters((long) between.length() + part.length());
      result.append(between).append(part);
      between = separator;
    }
    return result.toString();
  }

  private Object dictSort(Object value, Arguments arguments) {
    Arguments.Bound bound =
        arguments.bind("dictsort", "case_sensitive", false, "by", "key", "reverse", false);
    if (!(value instanceof Map<?, ?> map)) {
      throw JinjaException.type(
          "'" + PythonValue.typeName(value) + "' object has no attribute 'items'");
    }
    int position =
        switch (bound.text(1)) {
          case "key" -> 0;
          case "value" -> 1;
          default -> throw JinjaException.type("You can only sort by either \"key\" or \"value\"");
        };
    return sorted(
        Attributes.items(map), pair -> folded(pair, position, bound.isTrue(0)), bound.isTrue(2));
  }

  private static Object folded(Object pair, int position, boolean caseSensitive) {
    Object value = ((Tuple) pair).items().get(position);
    return caseSensitive ? value : AttributePath.folded(value);
  }

  private Object sort(Object value, Arguments arguments) {
    Arguments.Bound bound =
        arguments.bind("sort", "reverse", false, "case_sensitive", false, "attribute", null);
    List<Function<Object, Object>> getters = new ArrayList<>();
    if (bound.value(2) instanceof String names) {
      for (String name : names.split(",")) {
        getters.add(getter(name, !bound.isTrue(1)));
      }
    } else {
      getters.add(getter(bound.value(2), !bound.isTrue(1)));
    }
    Function<Object, Object> key =
        item -> {
          List<Object> keys = new ArrayList<>();
          getters.forEach(getter -> keys.add(getter.apply(item)));
          return keys;
        };
    return sorted(list(value), key, bound.isTrue(0));
  }

  private List<Object> sorted(List<Object> items, Function<Object, Object> key, boolean reverse) {
    Comparator<Object> order =
        (left, right) -> Ordering.compare(key.apply(left), key.apply(right), budget);
    List<Object> result = new ArrayList<>(items);
    result.sort(reverse ? (left, right) -> order.compare(right, left) : order);
    return result;
  }

  private Function<Object, Object> getter(Object path, boolean foldsCase) {
    return AttributePath.of(path, null, foldsCase, attributes, budget);
  }

  private Object unique(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("unique", "case_sensitive", false, "attribute", null);
    Function<Object, Object> getter = getter(bound.value(1), !bound.isTrue(0));
    Set<Object> seen = new LinkedHashSet<>();
    List<Object> result = list(value);
    result.removeIf(item -> !seen.add(PythonValue.key(getter.apply(item))));
    return new Generator(result);
  }

  private Object extreme(String name, Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind(name, "case_sensitive", false, "attribute", null);
    Function<Object, Object> getter = getter(bound.value(1), !bound.isTrue(0));
    List<Object> items = list(value);
    if (items.isEmpty()) {
      return Undefined.of("No aggregated item, sequence was empty.");
    }
    Object best = items.getFirst();
    for (Object item : items) {
      int order = Ordering.compare(getter.apply(item), getter.apply(best), budget);
      best = name.equals("min") ? (order < 0 ? item : best) : (order > 0 ? item : best);
    }
    return best;
  }

  private Object sum(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("sum", "attribute", null, "start", 0L);
    Function<Object, Object> getter = getter(bound.value(0), false);
    Arithmetic arithmetic = new Arithmetic(budget);
    Object total = bound.value(1);
    for (Object item : list(value)) {
      total = arithmetic.apply(Expression.BinaryOperator.ADD, total, getter.apply(item));
    }
    return total;
  }

  private Object batch(Object value, Arguments arguments) {
    Arguments.Bound bound =
        arguments.bind("batch", "linecount", Arguments.REQUIRED, "fill_with", null);
    int size = Math.clamp(bound.integer(0), 1, Integer.MAX_VALUE);
    List<Object> batches = new ArrayList<>();
    List<Object> items = list(value);
    for (int from = 0; from < items.size(); from += size) {
      int to = (int) Math.min((long) from + size, items.size());
      List<Object> batch = new ArrayList<>(items.subList(from, to));
      if (bound.value(1) != null) {
        budget.steps(size - batch.size());
        batch.addAll(Collections.nCopies(size - batch.size(), bound.value(1)));
      }
      batches.add(batch);
    }
    return new Generator(batches);
  }

  private Object slice(Object value, Arguments arguments) {
    Arguments.Bound bound =
        arguments.bind("slice", "slices", Arguments.REQUIRED, "fill_with", null);
    List<Object> items = list(value);
    long slices = Math.max(1, bound.integer(0));
    budget.steps(slices);
    int each = (int) (items.size() / slices);
    int longer = (int) (items.size() % slices);
    List<Object> result = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < slices; i++) {
      int to = from + each + (i < longer ? 1 : 0);
      List<Object> part = new ArrayList<>(items.subList(from, to));
      if (bound.value(1) != null && i >= longer) {
        part.add(bound.value(1));
      }
      result.add(part);
      from = to;
    }
    return new Generator(result);
  }

  private Object groupBy(Object value, Arguments arguments) {
    Arguments.Bound bound =
        arguments.bind(
            "groupby", "attribute", Arguments.REQUIRED, "default", null, "case_sensitive", false);
    Function<Object, Object> getter =
        AttributePath.of(bound.value(0), bound.value(1), false, attributes, budget);
    boolean caseSensitive = bound.isTrue(2);
    Function<Object, Object> key =
        item -> caseSensitive ? getter.apply(item) : AttributePath.folded(getter.apply(item));
    List<Object> groups = new ArrayList<>();
    List<Object> members = List.of();
    Object current = null;
    for (Object item : sorted(list(value), key, false)) {
      if (groups.isEmpty() || !Ordering.equal(current, key.apply(item), budget)) {
        current = key.apply(item);
        members = new ArrayList<>();
        groups.add(Tuple.of(getter.apply(item), members));
      }
      members.add(item);
    }
    return groups;
  }

  private Object attribute(Object value, Arguments arguments) {
    String name = arguments.bind("attr", "name", Arguments.REQUIRED).text(0);
    return value instanceof Map<?, ?> && !Set.of("get", "keys", "values", "items").contains(name)
        ? Undefined.attribute(value, name)
        : attributes.attribute(value, name);
  }
}
