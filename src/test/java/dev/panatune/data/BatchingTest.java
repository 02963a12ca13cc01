package dev.panatune.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.model.Batch;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatchingTest {
  private static Example example(int... ids) {
    return new Example(ids, ids.clone());
  }

  @Test
  void aBatchIsPaddedAtTheRightAndNamesWhoPredictsWhat() {
    Example first = new Example(new int[] {5, 6, 7}, new int[] {-100, -100, 7});
    Example second = new Example(new int[] {8, 9}, new int[] {8, 9});
    try (Batch batch = Batching.batch(List.of(first, second))) {
      assertArrayEquals(new long[] {2, 3}, batch.ids().shape());
      assertArrayEquals(new long[] {5, 6, 7, 8, 9, 0}, batch.ids().toLongs());
      assertArrayEquals(new long[] {1, 3}, batch.targetRows().toLongs());
      assertArrayEquals(new long[] {7, 9}, batch.targets().toLongs());
      assertEquals(5, batch.tokens());
      assertEquals(first.targetTokens() + second.targetTokens(), batch.targetTokens());
    }
  }

  @Test
  void theLongestComeFirstAndEqualOnesKeepTheirOrder() {
    Example a = example(1, 2);
    Example b = example(1, 2, 3);
    Example c = example(4, 5);
    assertEquals(List.of(List.of(b, a), List.of(c)), Batching.byLength(List.of(a, b, c), 2));
  }

  @Test
  void idsAndLabelsMustMatch() {
    assertThrows(
        IllegalArgumentException.class, () -> new Example(new int[] {1, 2}, new int[] {1}));
    assertThrows(IllegalArgumentException.class, () -> example());
  }
}
