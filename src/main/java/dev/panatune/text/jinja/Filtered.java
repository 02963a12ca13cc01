package dev.panatune.text.jinja;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Predicate;

/** The elements that a condition accepts, asked one by one as the loop goes on. */
final class Filtered implements Iterator<Object> {
  private final Iterator<Object> elements;
  private final Predicate<Object> condition;
  private Object next;
  private boolean ready;

  Filtered(Iterator<Object> elements, Predicate<Object> condition) {
    this.elements = elements;
    this.condition = condition;
  }

  @Override
  public boolean hasNext() {
    while (!ready && elements.hasNext()) {
      next = elements.next();
      ready = condition.test(next);
    }
    return ready;
  }

  @Override
  public Object next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    ready = false;
    return next;
  }
}
