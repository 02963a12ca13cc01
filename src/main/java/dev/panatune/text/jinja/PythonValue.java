package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** What Python knows of any value: its type, its truth, its length, how to go through it. */
final class PythonValue {
  private PythonValue() {}

  static String typeName(Object value) {
    return switch (value) {
      case null -> "NoneType";
      case Boolean b -> "bool";
      case Long l -> "int";
      case Double d -> "float";
      case String s -> "str";
      case Range r -> "range";
      case List<?> l -> "list";
      case Tuple t -> "tuple";
      case Map<?, ?> m -> "dict";
      case Undefined u -> "Undefined";
      case DictView v -> "dict_" + v.method();
      case Generator g -> "generator";
      case Namespace n -> "Namespace";
      case LoopState l -> "LoopContext";
      default -> "function";
    };
  }

  /** As Jinja names a value in an error about something that it lacks. */
  static String className(Object value) {
    return switch (value) {
      case null -> "None";
      case Namespace n -> "namespace object";
      default -> typeName(value) + " object";
    };
  }

  static boolean isTrue(Object value) {
    return switch (value) {
      case null -> false;
      case Boolean b -> b;
      case Long l -> l != 0;
      case Double d -> d != 0;
      case String s -> !s.isEmpty();
      case List<?> l -> !l.isEmpty();
      case Tuple t -> !t.items().isEmpty();
      case Map<?, ?> m -> !m.isEmpty();
      case DictView v -> !v.items().isEmpty();
      case LoopState l -> l.length() > 0;
      case Undefined u -> false;
      default -> true;
    };
  }

  /** {@code len(value)}. */
  static long length(Object value) {
    return switch (value) {
      case String s -> PythonText.length(s);
      case List<?> l -> l.size();
      case Tuple t -> t.items().size();
      case Map<?, ?> m -> m.size();
      case DictView v -> v.items().size();
      case LoopState l -> l.length();
      case Undefined u -> 0;
      case null, default ->
          throw JinjaException.type("object of type '" + typeName(value) + "' has no len()");
    };
  }

  static boolean isIterable(Object value) {
    return switch (value) {
      case String s -> true;
      case List<?> l -> true;
      case Tuple t -> true;
      case Map<?, ?> m -> true;
      case DictView v -> true;
      case Generator g -> true;
      case Undefined u -> true;
      case null, default -> false;
    };
  }

  static boolean isSequence(Object value) {
    return switch (value) {
      case String s -> true;
      case List<?> l -> true;
      case Tuple t -> true;
      case Map<?, ?> m -> true;
      case Undefined u -> true;
      case null, default -> false;
    };
  }

  /** The elements of a value, keys of a mapping, characters of a string. */
  static Iterator<Object> iterate(Object value) {
    return switch (value) {
      case String s -> s.codePoints().mapToObj(c -> (Object) Character.toString(c)).iterator();
      case List<?> l -> unmodifiable(l).iterator();
      case Tuple t -> t.items().iterator();
      case Map<?, ?> m -> unmodifiable(m.keySet()).iterator();
      case DictView v -> v.items().iterator();
      case Generator g -> g;
      case Undefined u -> Collections.emptyIterator();
      case null, default ->
          throw JinjaException.type("'" + typeName(value) + "' object is not iterable");
    };
  }

  /** The same elements as a new list. */
  static List<Object> toList(Object value, Budget budget) {
    List<Object> list = new ArrayList<>();
    iterate(value)
        .forEachRemaining(element -> {
          budget.step();
          list.add(element);
        });
    return list;
  }

  private static Collection<Object> unmodifiable(Collection<?> elements) {
    return Collections.unmodifiableCollection(elements);
  }

  /** A value that can be a key of a mapping, as it is looked up. */
  static Object key(Object value) {
    return switch (value) {
      case List<?> l -> throw unhashable(l);
      case Map<?, ?> m -> throw unhashable(m);
      case DictView v -> throw unhashable(v);
      case Tuple t -> {
        t.items().forEach(PythonValue::flatKey);
        yield t;
      }
      case null, default -> flatKey(value);
    };
  }

  private static Object flatKey(Object value) {
    return switch (value) {
      case Boolean b -> b;
      case Double d when d == Math.rint(d) && Math.abs(d) < 1e15 -> d.longValue();
      case Tuple t -> throw JinjaException.type("tuples of tuples as keys are not supported");
      case List<?> l -> throw unhashable(l);
      case Map<?, ?> m -> throw unhashable(m);
      case null, default -> value;
    };
  }

  private static JinjaException unhashable(Object value) {
    return JinjaException.type("unhashable type: '" + typeName(value) + "'");
  }
}
