package dev.panatune.data;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * Puts whole examples together into rows, so that little of a batch is padding, as TRL's {@code
 * packing} with its strategy {@code bfd} does: best fit decreasing. Ding et al., 2024,
 * arXiv:2404.10830.
 */
final class Packing {
  private Packing() {}

  /**
   * Returns rows of one example or more, each a text of its own: the longest example first, each to
   * the fullest row that has room for it.
   *
   * @param examples of language models, none longer than {@code maxLength}
   * @param maxLength the most tokens of a row
   */
  static List<Example> pack(List<Example> examples, int maxLength) {
    List<List<Example>> rows = new ArrayList<>();
    NavigableMap<Integer, Deque<List<Example>>> byRoom = new TreeMap<>();
    List<Example> sorted =
        examples.stream().sorted(Comparator.comparingInt(Example::length).reversed()).toList();
    for (Example example : sorted) {
      Map.Entry<Integer, Deque<List<Example>>> fitting = byRoom.ceilingEntry(example.length());
      List<Example> row;
      int room;
      if (fitting == null) {
        row = new ArrayList<>();
        rows.add(row);
        room = maxLength;
      } else {
        room = fitting.getKey();
        row = fitting.getValue().removeFirst();
        if (fitting.getValue().isEmpty()) {
          byRoom.remove(room);
        }
      }
      row.add(example);
      byRoom.computeIfAbsent(room - example.length(), _ -> new ArrayDeque<>()).addLast(row);
    }
    return rows.stream().map(Example::joined).toList();
  }
}
