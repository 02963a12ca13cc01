package dev.panatune.text;

import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.ContainedPath;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * From text to token ids and back, as Hugging Face's tokenizers does it: the library itself does
 * the work. Texts are never cut or padded. Any number of threads may use one tokenizer.
 */
public final class Tokenizer implements AutoCloseable {
  private static final long LARGEST_FILE = 256L << 20;

  private final String json;
  private final TokenizerConfig config;
  private final Vocabulary vocabulary;
  private final NativeTokenizer tokenizer;
  private final Set<Integer> endIds;

  private Tokenizer(String json, TokenizerConfig config, String source) {
    this.json = json;
    this.config = config;
    this.vocabulary = Vocabulary.parse(json, source);
    this.tokenizer = new NativeTokenizer(json, source);
    this.endIds = Collections.unmodifiableSet(EndOfGeneration.ids(vocabulary, config));
  }

  /**
   * Reads a tokenizer.json and, where they lie beside it, tokenizer_config.json,
   * special_tokens_map.json, chat_template.jinja and generation_config.json.
   *
   * @param file the tokenizer.json, or the directory it is in
   * @throws FormatException if it is missing or not a tokenizer
   */
  public static Tokenizer fromFile(Path file) {
    Path json =
        Files.isDirectory(file) ? ContainedPath.inside(file.resolve("tokenizer.json")) : file;
    return new Tokenizer(
        read(json), TokenizerConfig.read(json.toAbsolutePath().getParent()), json.toString());
  }

  private static String read(Path file) {
    if (!Files.isRegularFile(file)) {
      boolean sentencePiece = Files.exists(file.resolveSibling("tokenizer.model"));
      throw new FormatException(
          file
              + " does not exist"
              + (sentencePiece
                  ? "; tokenizer.model alone is not read: save the tokenizer with transformers,"
                      + " which writes a tokenizer.json"
                  : ""));
    }
    try {
      if (Files.size(file) > LARGEST_FILE) {
        throw new FormatException(file + " is larger than 256 MiB, too large for a tokenizer.json");
      }
      return Files.readString(file, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new FormatException(file + " cannot be read as UTF-8 text: " + e.getMessage(), e);
    }
  }

  /**
   * Builds the tokenizer that the metadata of a GGUF file describes.
   *
   * @param metadata by key; values are String, Boolean, Long, Double and List
   * @throws FormatException if the metadata describes none, or one of an unknown kind
   */
  public static Tokenizer fromGguf(Map<String, Object> metadata) {
    GgufTokenizer built = GgufTokenizer.of(metadata);
    return new Tokenizer(built.json(), built.config(), "the tokenizer in the GGUF metadata");
  }

  /**
   * Ids of a text. Special tokens that are spelled out in the text are recognised.
   *
   * @param addSpecialTokens whether the tokenizer's own special tokens are added, such as a bos
   *     token at the front
   */
  public int[] encode(String text, boolean addSpecialTokens) {
    return tokenizer.encode(validUnicode(text), addSpecialTokens);
  }

  /** Ids of two texts that belong together, joined as the tokenizer joins them. */
  public int[] encodePair(String text, String pair, boolean addSpecialTokens) {
    return tokenizer.encodePair(validUnicode(text), validUnicode(pair), addSpecialTokens);
  }

  /** As {@link #encode} without added tokens, with the place of each token in the text. */
  public Encoding encodeWithOffsets(String text) {
    return tokenizer.encodeWithOffsets(validUnicode(text), false);
  }

  /** The special tokens that the tokenizer puts before every text, usually bos or none. */
  int[] frontIds() {
    int[] plain = encode("a", false);
    int[] whole = encode("a", true);
    for (int front = 0; front + plain.length <= whole.length; front++) {
      if (Arrays.equals(whole, front, front + plain.length, plain, 0, plain.length)) {
        return Arrays.copyOf(whole, front);
      }
    }
    return new int[0];
  }

  /** Half of a surrogate pair alone is no character: it becomes the replacement character. */
  private static String validUnicode(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        int[] characters =
            text.codePoints()
                .map(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 0xfffd : c)
                .toArray();
        return new String(characters, 0, characters.length);
      }
    }
    return text;
  }

  /**
   * The text of ids. Ids that the vocabulary does not have give nothing.
   *
   * @param skipSpecialTokens whether special tokens are left out
   */
  public String decode(int[] ids, boolean skipSpecialTokens) {
    return tokenizer.decode(ids, skipSpecialTokens);
  }

  /** A decoder for tokens that come one by one, which leaves special tokens out. */
  public StreamingDecoder streamingDecoder() {
    return new StreamingDecoder(this, true);
  }

  /** A decoder for tokens that come one by one. */
  public StreamingDecoder streamingDecoder(boolean skipSpecialTokens) {
    return new StreamingDecoder(this, skipSpecialTokens);
  }

  /** One more than the largest id, added tokens included; a model may have more rows than that. */
  public int vocabSize() {
    return vocabulary.size();
  }

  /** The token that begins a text. */
  public OptionalInt bosId() {
    return specialId("bos_token");
  }

  /** The token that ends a text. */
  public OptionalInt eosId() {
    return specialId("eos_token");
  }

  /** The token that fills up shorter rows of a batch. */
  public OptionalInt padId() {
    return specialId("pad_token");
  }

  private OptionalInt specialId(String name) {
    String token = config.specialTokens().get(name);
    return token == null ? OptionalInt.empty() : vocabulary.idOf(token);
  }

  /** All tokens that end a generation: the eos token, and those that end a turn. */
  public Set<Integer> eosIds() {
    return endIds;
  }

  /** The tokens that are left out of a text when special tokens are skipped. */
  public Set<Integer> specialIds() {
    return vocabulary.special();
  }

  /** The id of a token, spelled as the vocabulary spells it. */
  public OptionalInt idOf(String token) {
    return vocabulary.idOf(token);
  }

  /**
   * The token of an id, spelled as the vocabulary spells it.
   *
   * @throws PanatuneException if there is none
   */
  public String token(int id) {
    String token = vocabulary.token(id);
    if (token == null) {
      throw new PanatuneException(
          "the vocabulary has no token " + id + "; its ids go up to " + (vocabSize() - 1));
    }
    return token;
  }

  /** As {@link #token}, null if there is none. */
  String tokenOrNull(int id) {
    return vocabulary.token(id);
  }

  /**
   * Returns what a GGUF file's metadata say of this tokenizer and its chat template, with values as
   * {@link dev.panatune.format.GgufWriter} takes them.
   *
   * @param architecture {@code general.architecture} of the file
   * @param size how many tokens the model has; those that the tokenizer lacks are marked as unused
   * @throws dev.panatune.error.ConfigurationException if GGUF has no form for such a tokenizer
   */
  public Map<String, Object> ggufMetadata(String architecture, int size) {
    return GgufVocabularyWriter.write(this, architecture, size);
  }

  /** The whole tokenizer as a tokenizer.json. */
  public String tokenizerJson() {
    return json;
  }

  /** The source of the model's chat template. */
  public Optional<String> chatTemplate() {
    return config.chatTemplate();
  }

  /** Text of the special tokens by the names that chat templates use, such as bos_token. */
  public Map<String, String> specialTokens() {
    return config.specialTokens();
  }

  /** The fields of tokenizer_config.json, without the chat template. */
  public Map<String, Object> config() {
    return config.fields();
  }

  /**
   * Writes tokenizer.json, tokenizer_config.json and, where there is one, chat_template.jinja, as
   * transformers reads them.
   *
   * @param directory an existing directory
   */
  public void save(Path directory) {
    save(directory, config.chatTemplate());
  }

  /** As {@link #save(Path)} with another chat template, or none. */
  public void save(Path directory, Optional<String> chatTemplate) {
    Map<String, Object> fields = new LinkedHashMap<>(config.fields());
    fields.putAll(config.specialTokens());
    AtomicFiles.writeString(directory.resolve("tokenizer.json"), json);
    AtomicFiles.writeString(directory.resolve(TokenizerConfig.FILE), TokenizerJson.pretty(fields));
    chatTemplate.ifPresent(template ->
        AtomicFiles.writeString(directory.resolve(TokenizerConfig.TEMPLATE_FILE), template));
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
