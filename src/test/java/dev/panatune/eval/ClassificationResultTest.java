package dev.panatune.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class ClassificationResultTest {
  /** By hand: F1 of 2 * 3 / (4 + 4), 2 * 1 / (3 + 2) and 2 * 2 / (3 + 4). */
  @Test
  void macroF1IsTheMeanOfTheClasses() {
    long[][] confusion = {{3, 0, 1}, {1, 1, 1}, {0, 1, 2}};
    ClassificationResult result = new ClassificationResult(0.5, confusion, 70, 1);
    assertEquals(10, result.examples());
    assertEquals(0.6, result.accuracy(), 1e-12);
    assertEquals((6.0 / 8 + 2.0 / 5 + 4.0 / 7) / 3, result.macroF1(), 1e-12);
    assertEquals(List.of("loss", "accuracy", "macro_f1"), List.copyOf(result.metrics().keySet()));
  }

  @Test
  void aClassThatNeitherIsNorIsFoundDoesNotCount() {
    long[][] confusion = {{2, 0, 0}, {0, 0, 0}, {2, 0, 0}};
    ClassificationResult result = new ClassificationResult(0, confusion, 4, 1);
    assertEquals((4.0 / 6 + 0) / 2, result.macroF1(), 1e-12);
  }
}
