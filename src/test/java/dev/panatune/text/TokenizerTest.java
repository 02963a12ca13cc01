package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {
  private static Tokenizer tokenizer;

  @TempDir Path directory;

  @BeforeAll
  static void build() {
    tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm"));
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  @Test
  void aLongTextIsNotCut() {
    String text = "one two three four ".repeat(1000);
    int[] ids = tokenizer.encode(text, true);
    assertTrue(ids.length >= 4000, "only " + ids.length + " tokens");
    assertEquals(text, tokenizer.decode(ids, false));
  }

  @Test
  void specialTokensAreNamedByTheMetadata() {
    assertEquals(OptionalInt.of(1), tokenizer.bosId());
    assertEquals(OptionalInt.of(2), tokenizer.eosId());
    assertEquals(OptionalInt.of(2), tokenizer.padId());
    assertEquals(Set.of(0, 2), tokenizer.eosIds());
    assertEquals(Set.of(0, 1, 2), tokenizer.specialIds());
    assertEquals("<|im_end|>", tokenizer.token(2));
    assertEquals(OptionalInt.of(2), tokenizer.idOf("<|im_end|>"));
    assertEquals(OptionalInt.empty(), tokenizer.idOf("no such token"));
    assertEquals("<|im_start|>", tokenizer.specialTokens().get("bos_token"));
  }

  @Test
  void vocabSizeCountsAddedTokens() {
    int size = tokenizer.vocabSize();
    assertEquals("</tool>", tokenizer.token(size - 1));
    PanatuneException error = assertThrows(PanatuneException.class, () -> tokenizer.token(size));
    assertTrue(error.getMessage().contains("no token " + size), error.getMessage());
  }

  @Test
  void userDefinedTokensAreWholeButNotSpecial() {
    int[] ids = tokenizer.encode("<tool>", false);
    assertEquals(1, ids.length);
    assertEquals("<tool>", tokenizer.decode(ids, true));
  }

  @Test
  void offsetsAreInUtf16Units() {
    String text = "a😀 <|im_end|>日本";
    Encoding encoding = tokenizer.encodeWithOffsets(text);
    for (int i = 0; i < encoding.ids().length; i++) {
      if (encoding.ids()[i] == 2) {
        assertEquals("<|im_end|>", text.substring(encoding.starts()[i], encoding.ends()[i]));
      }
    }
    assertEquals(0, encoding.starts()[0]);
    assertEquals(text.length(), encoding.ends()[encoding.ids().length - 1]);
    assertTrue(
        IntStream.range(0, encoding.ids().length)
            .anyMatch(i -> encoding.starts()[i] == 1 && encoding.ends()[i] == 3));
  }

  @Test
  void halfASurrogatePairBecomesTheReplacementCharacter() {
    assertArrayEquals(tokenizer.encode("x\ufffdy", false), tokenizer.encode("x\ud83dy", false));
  }

  @Test
  void idsOutsideTheVocabularyGiveNothingAndNegativeOnesAreRefused() {
    assertEquals("", tokenizer.decode(new int[] {1_000_000}, false));
    assertThrows(PanatuneException.class, () -> tokenizer.decode(new int[] {-1}, false));
  }

  @Test
  void aClosedTokenizerSaysSo() {
    Tokenizer closed = Tokenizer.fromGguf(TokenizerFixtures.metadata("gpt-2"));
    closed.close();
    closed.close();
    PanatuneException error =
        assertThrows(PanatuneException.class, () -> closed.encode("x", false));
    assertEquals("the tokenizer is closed", error.getMessage());
    assertThrows(PanatuneException.class, () -> closed.decode(new int[] {1}, false));
  }

  @Test
  void manyThreadsMayUseOneTokenizer() {
    int[] expected = tokenizer.encode("The quick brown fox 123", false);
    boolean equal =
        IntStream.range(0, 2000)
            .parallel()
            .allMatch(
                i -> Arrays.equals(expected, tokenizer.encode("The quick brown fox 123", false)));
    assertTrue(equal);
  }

  @Test
  void metadataThatDescribesNoTokenizerIsRefused() {
    assertRefused("tokenizer.ggml.tokens", "tokenizer.ggml.tokens", null);
    assertRefused("known are gpt2, llama and t5", "tokenizer.ggml.model", "bert");
    assertRefused("'nonsense', which is not known", "tokenizer.ggml.pre", "nonsense");
    assertRefused("token types", "tokenizer.ggml.token_type", List.of(1L));
    assertRefused("is 99999", "tokenizer.ggml.eos_token_id", 99999L);
    assertRefused("is not two tokens", "tokenizer.ggml.merges", List.of("a b c"));
    assertRefused("list of texts", "tokenizer.ggml.merges", List.of(5L));
    assertRefused("not a tokenizer", "tokenizer.ggml.merges", List.of("nope nope2"));
  }

  private static void assertRefused(String message, String key, Object value) {
    Map<String, Object> metadata = new HashMap<>(TokenizerFixtures.metadata("smollm"));
    metadata.put(key, value);
    FormatException error = assertThrows(FormatException.class, () -> Tokenizer.fromGguf(metadata));
    assertTrue(error.getMessage().contains(message), error.getMessage());
  }

  @Test
  void filesThatAreNoTokenizerAreRefused() throws IOException {
    Path file = directory.resolve("tokenizer.json");
    assertThrows(FormatException.class, () -> Tokenizer.fromFile(file));
    for (String text :
        List.of(
            "",
            "{",
            "[]",
            "{}",
            "{\"model\": {\"vocab\": {\"a\": -1}}}",
            "{\"model\": {\"vocab\": {\"a\": 4000000000}}}",
            "{\"model\": {\"vocab\": {\"a\": \"b\"}}}",
            "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}}}",
            "{\"added_tokens\": [{\"id\": 0}], \"model\": {\"vocab\": {\"a\": 0}}}")) {
      Files.writeString(file, text);
      FormatException error =
          assertThrows(FormatException.class, () -> Tokenizer.fromFile(directory), text);
      assertTrue(error.getMessage().contains("tokenizer.json"), error.getMessage());
    }
  }

  @Test
  void aSentencePieceModelAloneIsRefusedWithWhatToDo() throws IOException {
    Files.writeString(directory.resolve("tokenizer.model"), "");
    FormatException error =
        assertThrows(FormatException.class, () -> Tokenizer.fromFile(directory));
    assertTrue(error.getMessage().contains("tokenizer.model alone"), error.getMessage());
  }
}
