package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/** The variable {@code loop}: goes through its elements and looks ahead only when asked. */
final class LoopState {
  private static final Object NOTHING = new Object();

  private final Object source;
  private final Callable recursion;
  private final long depth0;
  private Iterator<Object> elements;
  private Object after = NOTHING;
  private Object current = NOTHING;
  private Object before = NOTHING;
  private List<Object> lastChanged;
  private long index0 = -1;
  private long length = -1;

  /**
   * Begins a loop.
   *
   * @param source what the elements come from, for its length
   * @param elements the elements
   * @param recursion what calling the loop does; null where it is not recursive
   */
  LoopState(Object source, Iterator<Object> elements, Callable recursion, long depth0) {
    this.source = source;
    this.elements = elements;
    this.recursion = recursion;
    this.depth0 = depth0;
  }

  boolean advance() {
    Object next = peek();
    if (next == NOTHING) {
      return false;
    }
    after = NOTHING;
    index0++;
    before = current;
    current = next;
    return true;
  }

  Object current() {
    return current;
  }

  long depth() {
    return depth0 + 1;
  }

  private Object peek() {
    if (after == NOTHING && elements.hasNext()) {
      after = elements.next();
    }
    return after;
  }

  long length() {
    if (length < 0) {
      if (source instanceof Generator) {
        List<Object> rest = new ArrayList<>();
        elements.forEachRemaining(rest::add);
        elements = rest.iterator();
        length = rest.size() + index0 + 1 + (after == NOTHING ? 0 : 1);
      } else {
        length = PythonValue.length(source);
      }
    }
    return length;
  }

  /** The value of an attribute, if the loop has it. */
  Optional<Object> attribute(String name, Budget budget) {
    return Optional.ofNullable(
        switch (name) {
          case "index" -> index0 + 1;
          case "index0" -> index0;
          case "revindex" -> length() - index0;
          case "revindex0" -> length() - index0 - 1;
          case "first" -> index0 == 0;
          case "last" -> peek() == NOTHING;
          case "length" -> length();
          case "depth" -> depth();
          case "depth0" -> depth0;
          case "previtem" -> index0 == 0 ? Undefined.of("there is no previous item") : before;
          case "nextitem" -> peek() == NOTHING ? Undefined.of("there is no next item") : peek();
          case "cycle" -> (Callable) this::cycle;
          case "changed" -> (Callable) arguments -> changed(arguments, budget);
          default -> null;
        });
  }

  private Object cycle(Arguments arguments) {
    List<Object> values = arguments.positional();
    if (values.isEmpty()) {
      throw JinjaException.type("no items for cycling given");
    }
    return values.get((int) (index0 % values.size()));
  }

  private Object changed(Arguments arguments, Budget budget) {
    List<Object> values = arguments.positional();
    if (lastChanged != null && Ordering.equal(lastChanged, values, budget)) {
      return false;
    }
    lastChanged = values;
    return true;
  }

  Object recurse(Arguments arguments) {
    if (recursion == null) {
      throw JinjaException.type(
          "The loop must have the 'recursive' marker to be called recursively.");
    }
    return recursion.call(arguments);
  }
}
