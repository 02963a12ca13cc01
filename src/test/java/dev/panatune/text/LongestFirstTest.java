package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.ConfigurationException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Pairs of texts, and what is cut, as transformers gives them ({@code make_pair_fixtures.py}). */
class LongestFirstTest {
  private static Path resource(String name) {
    try {
      return Path.of(LongestFirstTest.class.getResource(name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"framed_tokenizer.json", "unigram_tokenizer"})
  void idsAreThoseOfTransformers(String name) throws IOException {
    int cut = 0;
    try (Tokenizer tokenizer = Tokenizer.fromFile(resource(name))) {
      for (JsonNode expected : new ObjectMapper().readTree(resource("pairs.json").toFile())) {
        if (expected.get("tokenizer").asText().equals(name)) {
          Optional<String> pair =
              expected.hasNonNull("pair")
                  ? Optional.of(expected.get("pair").asText())
                  : Optional.empty();
          LongestFirst found =
              LongestFirst.encode(
                  tokenizer, expected.get("text").asText(), pair, expected.get("longest").asInt());
          assertArrayEquals(
              TokenizerFixtures.ids(expected.get("ids")), found.ids(), expected.toString());
          assertEquals(expected.get("whole").asInt(), found.whole(), expected.toString());
          cut += found.whole() > found.ids().length ? 1 : 0;
        }
      }
    }
    assertTrue(cut > 10, "only " + cut + " were cut");
  }

  @Test
  void roomForTheTokenizersOwnTokensAloneIsRefused() {
    try (Tokenizer tokenizer = Tokenizer.fromFile(resource("framed_tokenizer.json"))) {
      var error =
          assertThrows(
              ConfigurationException.class,
              () -> LongestFirst.encode(tokenizer, "Hello world", Optional.of("hello"), 4));
      assertTrue(error.getMessage().contains("adds 4 tokens"), error.getMessage());
    }
  }
}
