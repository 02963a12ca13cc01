package dev.panatune.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.Batch;
import dev.panatune.model.PackedTexts;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class PackingTest {
  private static Example example(int... ids) {
    return new Example(ids, ids.clone());
  }

  private static EncodedDataset dataset(Example... examples) {
    return new EncodedDataset(List.of(examples), new EncodingReport(4, 0, 0, 10, 6, 4, 4));
  }

  /** The example of TRL's {@code pack_dataset}, strategy {@code bfd}, its first row cut to 4. */
  @Test
  void packsAsTrlDoes() {
    List<Example> rows =
        dataset(example(1, 2, 3, 4), example(6, 7), example(8, 9, 10), example(11))
            .packed(4)
            .examples();
    List<int[]> ids = List.of(new int[] {1, 2, 3, 4}, new int[] {8, 9, 10, 11}, new int[] {6, 7});
    List<int[]> starts = List.of(new int[] {0}, new int[] {0, 3}, new int[] {0});
    assertEquals(ids.size(), rows.size());
    for (int i = 0; i < rows.size(); i++) {
      assertArrayEquals(ids.get(i), rows.get(i).ids());
      assertArrayEquals(starts.get(i), rows.get(i).starts());
    }
    assertArrayEquals(new int[] {-100, 9, 10, -100}, rows.get(1).labels());
  }

  @Test
  void aTextGoesWhereItFitsBest() {
    List<Example> rows =
        dataset(example(1, 1, 1, 1, 1), example(2, 2, 2, 2), example(3, 3), example(4, 4, 4))
            .packed(7)
            .examples();
    assertEquals(2, rows.size());
    assertArrayEquals(new int[] {1, 1, 1, 1, 1, 3, 3}, rows.get(0).ids());
    assertArrayEquals(new int[] {2, 2, 2, 2, 4, 4, 4}, rows.get(1).ids());
  }

  @Test
  void aBatchOfPackedRowsKnowsWhereItsTextsLie() {
    Example first = Example.joined(List.of(example(5, 6, 7), example(8, 9)));
    Example second = example(3, 4);
    try (Batch batch = Batching.batch(List.of(first, second))) {
      assertArrayEquals(new long[] {0, 1, 3, 5}, batch.targetRows().toLongs());
      assertArrayEquals(new long[] {6, 7, 9, 4}, batch.targets().toLongs());
      assertEquals(first.targetTokens() + second.targetTokens(), batch.targetTokens());
      PackedTexts texts = batch.packing().orElseThrow();
      assertEquals(3, texts.longest());
      assertArrayEquals(new long[] {0, 1, 2, 0, 1, 0, 1, 0, 0, 0}, texts.positions().toLongs());
      assertArrayEquals(new long[] {0, 0, 0, 3, 3, 0, 0, 2, 2, 2}, texts.firstKeys().toLongs());
    }
  }

  @Test
  void noTextIsLostOrCut() {
    Example[] examples = new Example[50];
    for (int i = 0; i < examples.length; i++) {
      int[] ids = new int[1 + i * 7 % 13];
      Arrays.fill(ids, i);
      examples[i] = example(ids);
    }
    List<Example> rows = dataset(examples).packed(16).examples();
    assertEquals(50, rows.stream().mapToInt(Example::texts).sum());
    int tokens = Arrays.stream(examples).mapToInt(Example::length).sum();
    assertEquals(tokens, rows.stream().mapToInt(Example::length).sum());
    assertEquals(Math.ceilDiv(tokens, 16), rows.size());
  }

  @Test
  void aClassifiersTextsAreNotPacked() {
    EncodedDataset classes = dataset(Example.ofClass(new int[] {1, 2}, 1, 0));
    assertThrows(ConfigurationException.class, () -> classes.packed(8));
  }
}
