package dev.panatune.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.data.Row.TextRow;
import dev.panatune.error.ConfigurationException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RowSplitTest {
  private static final List<Row> ROWS =
      IntStream.range(100, 200).mapToObj(i -> (Row) new TextRow("row " + i)).toList();

  @Test
  void everyRowIsOnOneSideInTheOldOrder() {
    RowSplit split = RowSplit.holdOut(ROWS, 0.2, 1);
    assertEquals(20, split.validation().size());
    List<Row> all = new ArrayList<>(split.train());
    all.addAll(split.validation());
    all.sort(Comparator.comparing(Row::toString));
    assertEquals(ROWS, all);
    assertEquals(
        split.train().stream().sorted(Comparator.comparing(Row::toString)).toList(), split.train());
  }

  @Test
  void theSeedDecides() {
    assertEquals(RowSplit.holdOut(ROWS, 7, 3), RowSplit.holdOut(ROWS, 7, 3));
    assertNotEquals(RowSplit.holdOut(ROWS, 7, 3), RowSplit.holdOut(ROWS, 7, 4));
  }

  @Test
  void aSmallPartHoldsOutOneRowAtLeast() {
    assertEquals(1, RowSplit.holdOut(ROWS, 0.0001, 1).validation().size());
    assertEquals(7, RowSplit.holdOut(ROWS, 7, 1).validation().size());
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, 100, 0.999, Double.NaN})
  void aSideWithoutRowsIsRefused(double size) {
    assertThrows(ConfigurationException.class, () -> RowSplit.holdOut(ROWS, size, 1));
  }
}
