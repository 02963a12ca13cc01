package dev.panatune.text;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.panatune.error.PanatuneException;
import dev.panatune.format.GgufFile;
import dev.panatune.text.jinja.Limits;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/**
 * Fuzz targets: any tokenizer.json, any vocabulary of a GGUF file and any chat template works or is
 * refused by a {@link PanatuneException}, within bounded time and memory. CONTRIBUTING tells how to
 * fuzz; in the build the committed inputs are replayed.
 */
class TextFuzzTest {
  /** A step takes no longer in a long run than in a short one, so a few are enough. */
  private static final Limits LIMITS = new Limits(200_000, 1_000_000, 400, Duration.ofSeconds(10));

  private static Path directory;

  @BeforeAll
  static void makeTheDirectory() throws IOException {
    directory = Files.createTempDirectory("fuzz");
  }

  @AfterAll
  static void removeTheDirectory() throws IOException {
    Files.deleteIfExists(directory.resolve("tokenizer.json"));
    Files.deleteIfExists(directory.resolve("tokenizer.gguf"));
    Files.delete(directory);
  }

  @FuzzTest(maxDuration = "10m")
  void tokenizerJson(byte[] bytes) throws IOException {
    Path file = Files.write(directory.resolve("tokenizer.json"), bytes);
    use(() -> Tokenizer.fromFile(file));
  }

  /** The metadata of a whole GGUF file, of any kind of vocabulary. */
  @FuzzTest(maxDuration = "10m")
  void ggufTokenizer(byte[] bytes) throws IOException {
    Path file = Files.write(directory.resolve("tokenizer.gguf"), bytes);
    use(() -> Tokenizer.fromGguf(GgufFile.open(file).metadata()));
  }

  /** A t5 vocabulary: a line of settings (key=value), then a token with type and score a line. */
  @FuzzTest(maxDuration = "10m")
  void ggufUnigram(byte[] bytes) {
    UnigramLines.metadata(bytes).ifPresent(metadata -> use(() -> Tokenizer.fromGguf(metadata)));
  }

  /** A tokenizer.json within the metadata, beside a vocabulary that is right. */
  @FuzzTest(maxDuration = "10m")
  void ggufWhole(byte[] bytes) {
    Map<String, Object> metadata =
        Map.of(
            "tokenizer.ggml.model",
            "t5",
            "tokenizer.ggml.tokens",
            List.of("<s>", "a"),
            "tokenizer.ggml.bos_token_id",
            0L,
            GgufTokenizer.WHOLE,
            new String(bytes, StandardCharsets.UTF_8));
    use(() -> Tokenizer.fromGguf(metadata));
  }

  private static void use(Supplier<Tokenizer> reader) {
    try (Tokenizer tokenizer = reader.get()) {
      tokenizer.decode(tokenizer.encode("Hello  wörld <|im_end|> 12 日本", true), false);
    } catch (PanatuneException refused) {
      return;
    }
  }

  @FuzzTest(maxDuration = "10m")
  void chatTemplate(byte[] bytes) {
    String jinja = new String(bytes, StandardCharsets.UTF_8);
    try {
      ChatTemplate.of(jinja, Map.of("bos_token", "<s>", "eos_token", "</s>"))
          .with(LIMITS, Clock.systemUTC())
          .render(
              List.of(
                  Message.system("Be brief."),
                  Message.user("Hello?"),
                  Message.assistant("Yes."),
                  Message.user(" Go on ")),
              true);
    } catch (PanatuneException refused) {
      return;
    }
  }
}
