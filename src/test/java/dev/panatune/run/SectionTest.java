package dev.panatune.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class SectionTest {
  private static String failure(Executable reading) {
    return assertThrows(ConfigurationException.class, reading).getMessage();
  }

  private static Section section(Map<String, ?> values) {
    return Section.of("data", values);
  }

  @Test
  void anUnknownKeyIsNamedWithTheNearestKnownOne() {
    Section section = section(Map.of("max_lenght", 3));
    section.integer("max_length", 1, 9);
    assertEquals("unknown key data.max_lenght; did you mean max_length?", failure(section::finish));
  }

  @Test
  void anUnknownKeyUnlikeAllOthersListsTheKnown() {
    Section section = section(Map.of("flavour", 3));
    section.integer("max_length", 1, 9);
    section.strings("train");
    assertEquals(
        "unknown key data.flavour; known here are max_length, train", failure(section::finish));
  }

  @Test
  void wrongTypesAreNamed() {
    assertEquals(
        "data.n is the string 'ten', not a whole number",
        failure(() -> section(Map.of("n", "ten")).integer("n", 1, 9)));
    assertEquals(
        "data.n is the number 1.5, not a whole number",
        failure(() -> section(Map.of("n", 1.5)).integer("n", 1, 9)));
    assertEquals(
        "data.n is 0; it must be at least 1",
        failure(() -> section(Map.of("n", 0)).integer("n", 1, 9)));
    assertEquals(
        "data.b is the string 'yes', not true or false",
        failure(() -> section(Map.of("b", "yes")).bool("b", false)));
    assertEquals(
        "data.s is the number 5, not a string", failure(() -> section(Map.of("s", 5)).string("s")));
    assertEquals(
        "data.l is a list, not a list of strings",
        failure(() -> section(Map.of("l", List.of(1))).strings("l")));
    assertEquals(
        "model is a list, not a mapping of keys to values",
        failure(() -> Section.of("model", List.of())));
  }

  @Test
  void anAliasIsReadAsTheKeyItStandsFor() {
    Section section = section(Map.of("max_seq_length", 7)).alias("max_seq_length", "max_length");
    assertEquals(7, section.integer("max_length", 1, 9));
    section.finish();
    assertEquals(
        "data.max_seq_length and data.max_length mean the same; keep max_length",
        failure(() ->
            section(Map.of("max_seq_length", 7, "max_length", 8))
                .alias("max_seq_length", "max_length")));
  }

  @Test
  void anUnsupportedOptionIsRefusedUnlessItChangesNothing() {
    Section off = section(Map.of("packing", false));
    off.refuse("packing", "rows are padded", false);
    off.finish();
    assertEquals(
        "data.packing: true is not supported: rows are padded",
        failure(
            () -> section(Map.of("packing", true)).refuse("packing", "rows are padded", false)));
  }

  @Test
  void theResolvedValuesHoldTheDefaultsToo() {
    Section section = section(Map.of("n", 3));
    section.integer("n", 1, 9);
    section.bool("b", true);
    section.string("s", "text");
    assertEquals(Map.of("n", 3L, "b", true, "s", "text"), section.resolved());
  }
}
