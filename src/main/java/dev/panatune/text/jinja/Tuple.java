package dev.panatune.text.jinja;

import java.util.Arrays;
import java.util.List;

/** A tuple: not equal to a list of the same elements. */
record Tuple(List<Object> items) {
  static Tuple of(Object... items) {
    return new Tuple(Arrays.asList(items));
  }
}
