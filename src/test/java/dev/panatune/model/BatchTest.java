package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatchTest {
  private static final int NO = Batch.IGNORED;

  @Test
  void padsAtTheRightAndPointsEachTargetAtThePositionBeforeIt() {
    try (Batch batch =
        Batch.of(
            List.of(new int[] {5, 6, 7, 8}, new int[] {9, 10}),
            List.of(new int[] {NO, NO, 7, 8}, new int[] {9, 10}),
            3)) {
      assertArrayEquals(new long[] {2, 4}, batch.ids().shape());
      assertArrayEquals(new long[] {5, 6, 7, 8, 9, 10, 3, 3}, batch.ids().toLongs());
      assertArrayEquals(new long[] {1, 2, 4}, batch.targetRows().toLongs());
      assertArrayEquals(new long[] {7, 8, 10}, batch.targets().toLongs());
      assertEquals(6, batch.tokens());
      assertEquals(3, batch.targetTokens());
    }
  }

  @Test
  void refusesABatchWithoutATarget() {
    var error =
        assertThrows(
            ConfigurationException.class,
            () -> Batch.of(List.of(new int[] {1, 2}), List.of(new int[] {1, NO}), 0));
    assertEquals("No token of the batch is a target", error.getMessage());
  }

  @Test
  void refusesLabelsOfAnotherLength() {
    var error =
        assertThrows(
            ConfigurationException.class,
            () -> Batch.of(List.of(new int[] {1, 2}), List.of(new int[] {1}), 0));
    assertEquals("Row 0 has 2 ids and 1 labels", error.getMessage());
  }

  @Test
  void refusesAnEmptyBatch() {
    assertThrows(ConfigurationException.class, () -> Batch.of(List.of(), List.of(), 0));
  }
}
