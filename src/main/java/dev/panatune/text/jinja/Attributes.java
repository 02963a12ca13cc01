package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * What {@code value.name} and {@code value[key]} give. Attributes are methods of strings, lists and
 * mappings that change nothing, and what the template put there itself; there is no way from here
 * to a Java object.
 */
final class Attributes {
  private static final Set<String> CHANGES_DICT =
      Set.of("clear", "pop", "popitem", "setdefault", "update");
  private static final Set<String> CHANGES_LIST =
      Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");

  private final Budget budget;

  Attributes(Budget budget) {
    this.budget = budget;
  }

  /** {@code target.name}: an attribute, else an element of that key. */
  Object attribute(Object target, String name) {
    if (target instanceof Undefined undefined) {
      throw undefined.failure();
    }
    Optional<Object> own = ownAttribute(target, name);
    if (own.isPresent()) {
      return own.get();
    }
    return target instanceof Map<?, ?> map && map.containsKey(name)
        ? map.get(name)
        : Undefined.attribute(target, name);
  }

  /** {@code target[key]}: an element, else an attribute of that name. */
  Object item(Object target, Object key) {
    if (target instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (target instanceof Map<?, ?> map) {
      boolean hashable = !(key instanceof List<?> || key instanceof Map<?, ?>);
      if (hashable && map.containsKey(PythonValue.key(key))) {
        return map.get(PythonValue.key(key));
      }
    } else if (key instanceof Long || key instanceof Boolean) {
      return element(target, Ordering.toLong(key));
    }
    if (key instanceof String name) {
      return ownAttribute(target, name).orElseGet(() -> Undefined.attribute(target, name));
    }
    return Undefined.attribute(target, key);
  }

  private static Object element(Object target, long index) {
    if (!PythonValue.isSequence(target)) {
      return Undefined.attribute(target, index);
    }
    long size = PythonValue.length(target);
    long at = index < 0 ? index + size : index;
    if (at < 0 || at >= size) {
      return Undefined.attribute(target, index);
    }
    return switch (target) {
      case String s -> PythonText.at(s, (int) at);
      case List<?> l -> l.get((int) at);
      case Tuple t -> t.items().get((int) at);
      default -> throw new IllegalStateException(PythonValue.typeName(target));
    };
  }

  private Optional<Object> ownAttribute(Object target, String name) {
    if (name.startsWith("__")) {
      return Optional.of(Undefined.unsafe(target, name));
    }
    return switch (target) {
      case String s ->
          StringMethods.find(name)
              .map(method -> (Callable) arguments -> method.call(s, arguments, budget));
      case Range r -> Optional.empty();
      case List<?> l ->
          CHANGES_LIST.contains(name)
              ? Optional.of(Undefined.unsafe(l, name))
              : sequenceMethod(l, name);
      case Tuple t -> sequenceMethod(t.items(), name);
      case Map<?, ?> m ->
          CHANGES_DICT.contains(name)
              ? Optional.of(Undefined.unsafe(m, name))
              : dictMethod(m, name);
      case LoopState l -> l.attribute(name, budget);
      case Namespace n -> Optional.ofNullable(n.get(name));
      case null, default -> Optional.empty();
    };
  }

  private Optional<Object> sequenceMethod(List<?> items, String name) {
    return Optional.ofNullable(
        switch (name) {
          case "index" -> (Callable) arguments -> indexOf(items, arguments);
          case "count" ->
              (Callable)
                  arguments -> {
                    Object sought = arguments.bind("count", "value", Arguments.REQUIRED).value(0);
                    return items.stream().filter(i -> Ordering.equal(i, sought, budget)).count();
                  };
          case "copy" -> (Callable) arguments -> new ArrayList<Object>(items);
          default -> null;
        });
  }

  private long indexOf(List<?> items, Arguments arguments) {
    Object sought = arguments.bind("index", "value", Arguments.REQUIRED).value(0);
    for (int i = 0; i < items.size(); i++) {
      if (Ordering.equal(items.get(i), sought, budget)) {
        return i;
      }
    }
    throw JinjaException.type("the value of index() is not in the list");
  }

  private Optional<Object> dictMethod(Map<?, ?> map, String name) {
    return Optional.ofNullable(
        switch (name) {
          case "get" ->
              (Callable)
                  arguments -> {
                    Arguments.Bound bound =
                        arguments.bind("get", "key", Arguments.REQUIRED, "default", null);
                    Object key = PythonValue.key(bound.value(0));
                    return map.containsKey(key) ? map.get(key) : bound.value(1);
                  };
          case "keys" -> view(name, () -> new ArrayList<Object>(map.keySet()));
          case "values" -> view(name, () -> new ArrayList<Object>(map.values()));
          case "items" -> view(name, () -> items(map));
          case "copy" -> (Callable) arguments -> new LinkedHashMap<Object, Object>(map);
          default -> null;
        });
  }

  private Callable view(String method, Supplier<List<Object>> items) {
    return arguments -> {
      arguments.bind(method);
      List<Object> made = items.get();
      budget.steps(made.size());
      return new DictView(method, made);
    };
  }

  /** Pairs of key and value. */
  static List<Object> items(Map<?, ?> map) {
    List<Object> pairs = new ArrayList<>(map.size());
    map.forEach((key, value) -> pairs.add(Tuple.of(key, value)));
    return pairs;
  }
}
