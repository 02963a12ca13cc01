package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.StreamSupport;
import java.util.zip.GZIPInputStream;

/** What {@code src/test/python/tokenizer_fixtures.py} made. */
final class TokenizerFixtures {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final JsonNode DOCUMENT = read();

  private TokenizerFixtures() {}

  private static JsonNode read() {
    try (InputStream file = TokenizerFixtures.class.getResourceAsStream("tokenizers.json.gz");
        InputStream text = new GZIPInputStream(file)) {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static JsonNode document() {
    return DOCUMENT;
  }

  /** The metadata of a GGUF file, as the reader of GGUF files gives it. */
  static Map<String, Object> metadata(JsonNode golden) {
    Map<String, Object> metadata = new LinkedHashMap<>();
    put(DOCUMENT.get("bases").get(golden.get("base").asText()), metadata);
    put(golden.get("changes"), metadata);
    return metadata;
  }

  private static void put(JsonNode node, Map<String, Object> metadata) {
    node.properties()
        .forEach(entry -> {
          JsonNode value = entry.getValue();
          metadata.put(
              entry.getKey(),
              value.isIntegralNumber()
                  ? (Object) value.asLong()
                  : JSON.convertValue(value, Object.class));
        });
  }

  /** The metadata of one of the cases. */
  static Map<String, Object> metadata(String name) {
    return metadata(
        StreamSupport.stream(DOCUMENT.get("cases").spliterator(), false)
            .filter(node -> node.get("name").asText().equals(name))
            .findFirst()
            .orElseThrow());
  }

  static int[] ids(JsonNode array) {
    return JSON.convertValue(array, int[].class);
  }

  /** Asserts that texts are encoded and decoded as in Python. */
  static void check(JsonNode texts, Tokenizer tokenizer) {
    for (JsonNode expected : texts) {
      String text = expected.get("text").asText();
      int[] ids = ids(expected.get("ids"));
      assertArrayEquals(ids, tokenizer.encode(text, true), text);
      assertArrayEquals(ids(expected.get("plain")), tokenizer.encode(text, false), text);
      assertEquals(expected.get("decoded").asText(), tokenizer.decode(ids, false));
      assertEquals(expected.get("skipped").asText(), tokenizer.decode(ids, true));
    }
  }
}
