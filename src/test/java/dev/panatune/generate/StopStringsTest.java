package dev.panatune.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class StopStringsTest {
  @Test
  void passesTextOnAtOnceWithoutStopStrings() {
    StopStrings stops = new StopStrings(List.of());
    assertEquals("ab", stops.append("ab"));
    assertEquals("", stops.finish());
  }

  @Test
  void holdsBackWhatMayBecomeAStopString() {
    StopStrings stops = new StopStrings(List.of("###"));
    assertEquals("one ", stops.append("one ##"));
    assertEquals("##x", stops.append("x#"));
    assertEquals("#", stops.finish());
    assertFalse(stops.stopped());
  }

  @Test
  void endsBeforeAStopStringThatComesInPieces() {
    StopStrings stops = new StopStrings(List.of("\nUser:"));
    assertEquals("hello", stops.append("hello\nUs"));
    assertEquals("", stops.append("er"));
    assertEquals("", stops.append(": and more"));
    assertTrue(stops.stopped());
    assertEquals("", stops.append("never"));
    assertEquals("", stops.finish());
  }

  @Test
  void endsBeforeTheFirstOfSeveral() {
    StopStrings stops = new StopStrings(List.of("late", "END"));
    assertEquals("so ", stops.append("so END is not late"));
    assertTrue(stops.stopped());
  }

  @Test
  void holdsBackForTheStopStringThatNeedsMost() {
    StopStrings stops = new StopStrings(List.of("b", "abc"));
    assertEquals("x", stops.append("xa"));
    assertEquals("a", stops.append("b"));
    assertTrue(stops.stopped());
  }
}
