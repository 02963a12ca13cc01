package dev.panatune.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class GenerationConfigTest {
  private static String errorOf(Executable creation) {
    return assertThrows(ConfigurationException.class, creation).getMessage();
  }

  @Test
  void namesTheValueThatIsOutOfRange() {
    GenerationConfig config = GenerationConfig.greedy(5);
    assertEquals(
        "max_new_tokens is 0; it must be at least 1", errorOf(() -> GenerationConfig.greedy(0)));
    assertEquals(
        "temperature is 0.0; it must be over 0; for no randomness do not sample",
        errorOf(() -> config.withTemperature(0)));
    assertEquals("top_k is -1; it must be at least 0", errorOf(() -> config.withTopK(-1)));
    assertEquals(
        "top_p is 1.5; it must be over 0 and at most 1", errorOf(() -> config.withTopP(1.5)));
    assertEquals(
        "repetition_penalty is 0.0; it must be over 0",
        errorOf(() -> config.withRepetitionPenalty(0)));
    assertEquals(
        "stop_strings is [a, ]; it must be without an empty string",
        errorOf(() -> config.withStopStrings(List.of("a", ""))));
  }
}
