package dev.panatune.nn;

import java.util.ArrayList;
import java.util.List;

/** Children of one kind, named {@code 0}, {@code 1}, {@code 2}, ... */
public final class ModuleList<T extends Module> extends Module {
  private final List<Slot<T>> elements = new ArrayList<>();

  /** Creates a list that becomes the parent of its elements. */
  public ModuleList(Class<T> kind, List<T> elements) {
    for (T element : elements) {
      this.elements.add(addChild(String.valueOf(this.elements.size()), kind, element));
    }
  }

  /** Returns the element at an index, as it is now. */
  public T get(int index) {
    return elements.get(index).get();
  }

  /** Returns the elements as they are now; a copy. */
  public List<T> elements() {
    return elements.stream().map(Slot::get).toList();
  }
}
