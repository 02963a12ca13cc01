package dev.panatune.error;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class SuggestionTest {
  private static final List<String> KEYS =
      List.of("learning_rate", "lora_alpha", "lora_dropout", "r", "seed", "warmup_steps");

  @Test
  void findsSlips() {
    assertEquals(Optional.of("learning_rate"), Suggestion.nearest("learing_rate", KEYS));
    assertEquals(Optional.of("learning_rate"), Suggestion.nearest("Learning-Rate", KEYS));
    assertEquals(Optional.of("lora_alpha"), Suggestion.nearest("lora_aplha", KEYS));
    assertEquals(Optional.of("lora_dropout"), Suggestion.nearest("lora_droput", KEYS));
    assertEquals(Optional.of("seed"), Suggestion.nearest("sede", KEYS));
  }

  @Test
  void saysNothingWhereNothingIsNear() {
    assertEquals(Optional.empty(), Suggestion.nearest("batch_size", KEYS));
    assertEquals(Optional.empty(), Suggestion.nearest("x", KEYS));
    assertEquals(Optional.empty(), Suggestion.nearest("", KEYS));
    assertEquals(Optional.empty(), Suggestion.nearest("seed", List.of()));
  }

  @Test
  void prefersTheNearer() {
    assertEquals(Optional.of("abcdef"), Suggestion.nearest("abcdeg", List.of("abcxyf", "abcdef")));
  }
}
