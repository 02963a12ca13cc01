package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.util.List;
import java.util.Map;

/** The arguments of one call in a pickle, checked as they are taken. */
final class PickleArguments {
  /** More than any library's tensors can have. */
  private static final int MAX_RANK = 64;

  private final PickleFunction function;
  private final List<Object> values;
  private final String source;

  /**
   * Creates it.
   *
   * @param function what is called
   * @param source what the pickle is, for messages
   */
  PickleArguments(PickleFunction function, List<Object> values, String source) {
    this.function = function;
    this.values = values;
    this.source = source;
  }

  int count() {
    return values.size();
  }

  void requireCount(int least, int most) {
    if (count() < least || count() > most) {
      throw error("is called with " + count() + " arguments");
    }
  }

  Object get(int index) {
    return values.get(index);
  }

  String string(int index) {
    return get(index) instanceof String text ? text : fail(index, "a string");
  }

  long integer(int index) {
    return get(index) instanceof Long number ? number : fail(index, "a whole number");
  }

  Number number(int index) {
    return get(index) instanceof Number number ? number : fail(index, "a number");
  }

  TorchStorage storage(int index) {
    return get(index) instanceof TorchStorage storage ? storage : fail(index, "a storage");
  }

  TorchView view(int index) {
    return get(index) instanceof TorchView view ? view : fail(index, "a tensor");
  }

  TorchDtype dtype(int index) {
    return get(index) instanceof PickleValue.Dtype dtype ? dtype.type() : fail(index, "a dtype");
  }

  PickleFunction function(int index) {
    return get(index) instanceof PickleValue.Callable callable
        ? callable.function()
        : fail(index, "a function");
  }

  /** Returns the items of a list or tuple. */
  List<Object> list(int index) {
    List<Object> items = items(get(index));
    return items != null ? items : fail(index, "a list");
  }

  /** Returns whole numbers, such as a shape. */
  long[] sizes(int index) {
    List<Object> items = list(index);
    if (items.size() > MAX_RANK) {
      throw wrong(index, "at most " + MAX_RANK + " numbers");
    }
    long[] sizes = new long[items.size()];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = items.get(i) instanceof Long size ? size : fail(index, "a list of whole numbers");
    }
    return sizes;
  }

  /** Returns the tuple at an index as the arguments of another function. */
  PickleArguments forwarded(PickleFunction other, int index) {
    return new PickleArguments(other, list(index), source);
  }

  /**
   * Puts an entry into a dictionary. Its keys are all strings or all whole numbers: nothing is
   * hashed deeply, and keys that collide can be ordered, so that a million of them take no longer.
   */
  static void put(Map<Object, Object> dictionary, Object key, Object value, String source) {
    boolean plain = key instanceof String || key instanceof Long;
    if (!plain || !dictionary.isEmpty() && !sameKind(dictionary, key)) {
      throw new FormatException(
          source + " has a dictionary whose keys are neither all strings nor all whole numbers");
    }
    dictionary.put(key, value);
  }

  private static boolean sameKind(Map<Object, Object> dictionary, Object key) {
    return dictionary.keySet().iterator().next().getClass() == key.getClass();
  }

  /** Returns the items of a list or tuple; null for anything else. */
  @SuppressWarnings("unchecked")
  static List<Object> items(Object value) {
    return switch (value) {
      case PickleValue.Tuple(List<Object> items) -> items;
      case List<?> list -> (List<Object>) list;
      case null, default -> null;
    };
  }

  String source() {
    return source;
  }

  FormatException wrong(int index, String expected) {
    return error("is given something else than " + expected + " as argument " + (index + 1));
  }

  private <T> T fail(int index, String expected) {
    throw wrong(index, expected);
  }

  FormatException error(String what) {
    return new FormatException(source + ": " + function.fullName() + " " + what);
  }

  /** Whether a value is a dictionary of the attributes of an object, which are left out. */
  static boolean isState(Object value) {
    return value instanceof Map<?, ?> || value instanceof PickleValue.Tuple;
  }
}
