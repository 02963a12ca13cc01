package dev.panatune.data;

import dev.panatune.error.ConfigurationException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Rows parted into those to train on and those to validate on, each in the original order.
 *
 * @param train what is left
 * @param validation held out
 */
public record RowSplit(List<Row> train, List<Row> validation) {
  public RowSplit {
    train = List.copyOf(train);
    validation = List.copyOf(validation);
  }

  /**
   * Holds out rows chosen by a seed; the same rows, size and seed give the same split.
   *
   * @param size a part of the rows if below 1 (rounded up), else a number of rows
   * @throws ConfigurationException if nothing would be held out, or nothing left to train on
   */
  public static RowSplit holdOut(List<Row> rows, double size, long seed) {
    long count = (long) Math.ceil(size < 1 ? size * rows.size() : size);
    if (!(size > 0) || count >= rows.size()) {
      throw new ConfigurationException(
          "validation_split %s of %d rows leaves %s; give a part below 1, or a number of rows"
              .formatted(size, rows.size(), size > 0 ? "none to train on" : "none to validate on"));
    }
    List<Integer> order = new ArrayList<>(IntStream.range(0, rows.size()).boxed().toList());
    Collections.shuffle(order, new Random(seed));
    BitSet held = new BitSet();
    order.subList(0, (int) count).forEach(held::set);
    List<Row> train = new ArrayList<>();
    List<Row> validation = new ArrayList<>();
    for (int i = 0; i < rows.size(); i++) {
      (held.get(i) ? validation : train).add(rows.get(i));
    }
    return new RowSplit(train, validation);
  }
}
