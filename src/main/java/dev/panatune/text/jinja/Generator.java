package dev.panatune.text.jinja;

import java.util.Iterator;

/** What lazy filters give: it can be gone through once, has no length and is always true. */
final class Generator implements Iterator<Object> {
  private final Iterator<?> elements;

  Generator(Iterable<?> elements) {
    this.elements = elements.iterator();
  }

  @Override
  public boolean hasNext() {
    return elements.hasNext();
  }

  @Override
  public Object next() {
    return elements.next();
  }

  @Override
  public String toString() {
    return "<generator object>";
  }
}
