package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.panatune.error.FormatException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.GgufFile;
import dev.panatune.format.GgufWriter;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Tokenizers of each kind, written into a GGUF file and read from it, give Python's ids. */
class TokenizerGgufTest {
  private static final String WHOLE = "tokenizer.huggingface.json";

  @TempDir private Path directory;

  private static Path unigram() throws URISyntaxException {
    return Path.of(TokenizerGgufTest.class.getResource("unigram_tokenizer").toURI());
  }

  /** What is read of the file that is written of a tokenizer. */
  private Map<String, Object> written(Tokenizer tokenizer, String architecture, int size) {
    Path file = directory.resolve("tokenizer.gguf");
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("general.architecture", architecture);
    metadata.putAll(tokenizer.ggufMetadata(architecture, size));
    try (GgufWriter writer = GgufWriter.create(file, metadata, List.of())) {
      writer.commit();
    }
    return GgufFile.open(file).metadata();
  }

  @TestFactory
  Stream<DynamicTest> whatGgufDescribesComesBackInItsWords() {
    return StreamSupport.stream(TokenizerFixtures.document().get("cases").spliterator(), false)
        .map(golden ->
            DynamicTest.dynamicTest(golden.get("name").asText(), () -> comesBack(golden)));
  }

  private void comesBack(JsonNode golden) {
    Map<String, Object> metadata = TokenizerFixtures.metadata(golden);
    String architecture = metadata.getOrDefault("general.architecture", "llama").toString();
    try (Tokenizer tokenizer = Tokenizer.fromGguf(metadata)) {
      Map<String, Object> found = written(tokenizer, architecture, tokenizer.vocabSize() + 3);
      assertTrue(!found.containsKey(WHOLE), "the words of llama.cpp were not enough");
      try (Tokenizer again = Tokenizer.fromGguf(found)) {
        TokenizerFixtures.check(golden.get("texts"), again);
        assertEquals(tokenizer.specialTokens(), again.specialTokens());
      }
    }
  }

  @Test
  void aUnigramModelWithByteFallbackComesBackInTheWordsOfT5() throws URISyntaxException {
    try (Tokenizer tokenizer = Tokenizer.fromFile(unigram())) {
      Map<String, Object> found = written(tokenizer, "llama", tokenizer.vocabSize() + 5);
      assertEquals("t5", found.get("tokenizer.ggml.model"));
      assertTrue(!found.containsKey(WHOLE), "the words of llama.cpp were not enough");
      assertEquals(2L, ((List<?>) found.get("tokenizer.ggml.token_type")).getFirst());
      assertEquals(6L, ((List<?>) found.get("tokenizer.ggml.token_type")).get(3));
      assertEquals(5L, ((List<?>) found.get("tokenizer.ggml.token_type")).getLast());
      try (Tokenizer again = Tokenizer.fromGguf(found)) {
        TokenizerFixtures.check(TokenizerFixtures.document().get("unigram"), again);
        assertEquals(tokenizer.vocabSize(), again.vocabSize());
      }
    }
  }

  /** Of a prefix at the start of the text alone, and of a normalizer, there is no word. */
  @Test
  void whatHasNoWordsComesBackWhole() throws IOException, URISyntaxException {
    String json = Files.readString(unigram().resolve("tokenizer.json"));
    Map<String, String> changes =
        Map.of(
            "\"prepend_scheme\":\"always\"", "\"prepend_scheme\":\"first\"",
            "\"normalizer\":null", "\"normalizer\":{\"type\":\"NFKC\"}",
            "\"lstrip\":false", "\"lstrip\":true");
    for (Map.Entry<String, String> change : changes.entrySet()) {
      assertTrue(json.contains(change.getKey()), change.getKey());
      Path changed = directory.resolve("tokenizer.json");
      AtomicFiles.writeString(changed, json.replace(change.getKey(), change.getValue()));
      try (Tokenizer tokenizer = Tokenizer.fromFile(changed)) {
        Map<String, Object> found = written(tokenizer, "llama", tokenizer.vocabSize());
        assertTrue(found.containsKey(WHOLE), change.getValue());
        same(tokenizer, found);
      }
    }
  }

  /**
   * Phi 3's space before each part of a text is not what other architectures' files are read as.
   */
  @Test
  void aPrefixBeforeEachPartOfATextComesBackUnderAnyArchitecture() {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("phi3"))) {
      Map<String, Object> found = written(tokenizer, "llama", tokenizer.vocabSize());
      assertTrue(found.containsKey(WHOLE));
      same(tokenizer, found);
    }
  }

  private static void same(Tokenizer tokenizer, Map<String, Object> found) {
    try (Tokenizer again = Tokenizer.fromGguf(found)) {
      for (JsonNode expected : TokenizerFixtures.document().get("unigram")) {
        String text = expected.get("text").asText() + "</s> x <unk> ﬁ";
        assertArrayEquals(tokenizer.encode(text, true), again.encode(text, true), text);
      }
    }
  }

  @Test
  void rulesThatChangeTextsAreRefusedByName() throws URISyntaxException {
    try (Tokenizer tokenizer = Tokenizer.fromFile(unigram())) {
      Map<String, Object> metadata = new LinkedHashMap<>(written(tokenizer, "llama", 0));
      metadata.put("tokenizer.ggml.remove_extra_whitespaces", true);
      FormatException error =
          assertThrows(FormatException.class, () -> Tokenizer.fromGguf(metadata));
      assertTrue(error.getMessage().contains("remove_extra_whitespaces"), error.getMessage());
    }
  }
}
