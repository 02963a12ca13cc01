package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StreamingDecoderTest {
  @ParameterizedTest
  @ValueSource(strings = {"smollm", "gpt-4o", "llama", "llama without prefix"})
  void partsAreWholeCharactersAndTogetherTheText(String name) {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata(name))) {
      for (JsonNode text : TokenizerFixtures.document().get("cases").get(0).get("texts")) {
        check(tokenizer, tokenizer.encode(text.get("text").asText(), true));
      }
    }
  }

  private static void check(Tokenizer tokenizer, int[] ids) {
    StreamingDecoder decoder = tokenizer.streamingDecoder(false);
    StringBuilder text = new StringBuilder();
    String whole = tokenizer.decode(ids, false);
    for (int id : ids) {
      String part = decoder.append(id);
      assertFalse(part.endsWith("\ufffd"), "half a character in " + whole);
      text.append(part);
      assertEquals(whole.substring(0, text.length()), text.toString());
    }
    assertEquals(whole, text.append(decoder.finish()).toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"smollm", "llama"})
  void aCharacterOfSeveralTokensComesWithItsLast(String name) {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata(name))) {
      int[] ids = tokenizer.encode("\ud83e\uddea", false);
      StreamingDecoder decoder = tokenizer.streamingDecoder();
      List<String> parts = new ArrayList<>();
      for (int id : ids) {
        parts.add(decoder.append(id));
      }
      assertEquals("\ud83e\uddea", parts.removeLast().strip());
      assertEquals("", String.join("", parts).strip());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"smollm", "llama"})
  void specialTokensAreLeftOut(String name) {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata(name))) {
      StreamingDecoder decoder = tokenizer.streamingDecoder();
      assertEquals("", decoder.append(tokenizer.eosId().orElseThrow()));
      assertEquals("", decoder.finish());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"smollm", "llama"})
  void aCharacterThatIsNeverCompletedComesAtTheEnd(String name) {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata(name))) {
      int[] ids = tokenizer.encode("\ud83e\uddea", false);
      StreamingDecoder decoder = tokenizer.streamingDecoder();
      StringBuilder given = new StringBuilder();
      for (int i = 0; i < ids.length - 1; i++) {
        given.append(decoder.append(ids[i]));
      }
      assertEquals("", given.toString().strip());
      assertFalse(decoder.finish().isEmpty());
    }
  }
}
