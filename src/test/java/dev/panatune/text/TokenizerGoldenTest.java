package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Tokenizers of each kind on texts in many scripts, against Python's. */
class TokenizerGoldenTest {
  @TestFactory
  Stream<DynamicTest> ggufTokenizersEncodeAndDecodeAsInPython() {
    return StreamSupport.stream(TokenizerFixtures.document().get("cases").spliterator(), false)
        .map(golden ->
            DynamicTest.dynamicTest(
                golden.get("name").asText(),
                () -> {
                  try (Tokenizer tokenizer =
                      Tokenizer.fromGguf(TokenizerFixtures.metadata(golden))) {
                    TokenizerFixtures.check(golden.get("texts"), tokenizer);
                  }
                }));
  }

  @Test
  void tokenizerJsonEncodesAndDecodesAsInPython() throws URISyntaxException {
    Path directory = Path.of(getClass().getResource("unigram_tokenizer").toURI());
    try (Tokenizer tokenizer = Tokenizer.fromFile(directory)) {
      TokenizerFixtures.check(TokenizerFixtures.document().get("unigram"), tokenizer);
      assertEquals(1, tokenizer.bosId().orElseThrow());
      assertEquals(2, tokenizer.eosId().orElseThrow());
      assertEquals(Set.of(2, 300), tokenizer.eosIds());
      assertEquals("{{ bos_token }}", tokenizer.chatTemplate().orElseThrow());
    }
  }
}
