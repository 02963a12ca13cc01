package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What is saved is byte for byte the folder saved_tokenizer, which the fixture script loads in
 * transformers. Run with {@code -Dpanatune.writeFixtures=true} to write that folder anew.
 */
class TokenizerSaveTest {
  private static final Path SAVED = Path.of("src/test/resources/dev/panatune/text/saved_tokenizer");

  @TempDir Path directory;

  @Test
  void aGgufTokenizerIsSavedAsTransformersReadsIt() throws IOException {
    if (Boolean.getBoolean("panatune.writeFixtures")) {
      Files.createDirectories(SAVED);
      save(SAVED);
    }
    save(directory);
    for (String name : List.of("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")) {
      assertEquals(
          Files.readString(SAVED.resolve(name)), Files.readString(directory.resolve(name)), name);
    }
  }

  private static void save(Path target) {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm"))) {
      tokenizer.save(target);
    }
  }

  @Test
  void whatIsSavedIsReadBack() {
    String text = "Hello  123 <|im_start|> 日本 \u0001";
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm"))) {
      tokenizer.save(directory);
      try (Tokenizer read = Tokenizer.fromFile(directory)) {
        assertArrayEquals(tokenizer.encode(text, true), read.encode(text, true));
        assertEquals(tokenizer.chatTemplate(), read.chatTemplate());
        assertEquals(tokenizer.specialTokens(), read.specialTokens());
        assertEquals(tokenizer.eosIds(), read.eosIds());
        assertEquals(tokenizer.vocabSize(), read.vocabSize());
      }
    }
  }

  @Test
  void anotherTemplateOrNoneCanBeSaved() throws IOException {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm"))) {
      tokenizer.save(directory, Optional.empty());
      assertFalse(Files.exists(directory.resolve("chat_template.jinja")));
      tokenizer.save(directory, Optional.of("{{ messages }}"));
      assertEquals("{{ messages }}", Files.readString(directory.resolve("chat_template.jinja")));
    }
  }
}
