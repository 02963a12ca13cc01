package dev.panatune.text;

import dev.panatune.error.FormatException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** The {@code tokenizer.ggml.*} part of a GGUF file's metadata, checked. */
final class GgufVocabulary {
  /** What a token is to a tokenizer. */
  enum Kind {
    NORMAL,
    /** Matched as a whole, and left out when special tokens are skipped. */
    CONTROL,
    /** Matched as a whole. */
    USER_DEFINED
  }

  private static final String PREFIX = "tokenizer.ggml.";
  private static final Set<String> GEMMA = Set.of("gemma", "gemma2", "gemma3");
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int UNUSED = 5;
  private static final int BYTE = 6;

  private static final List<String> NAMED =
      List.of("bos_token_id", "eos_token_id", "unknown_token_id", "padding_token_id");

  private final Map<String, Object> metadata;
  private final List<String> tokens;
  private final List<?> types;

  /** Tokens that the metadata names as bos, eos, unk or pad: special whatever their type is. */
  private final Set<Integer> named = new HashSet<>();

  private GgufVocabulary(Map<String, Object> metadata) {
    this.metadata = metadata;
    this.tokens = isGemma() ? spelledAsPieces(texts("tokens")) : texts("tokens");
    this.types = list("token_type");
    if (tokens.isEmpty()) {
      throw new FormatException("the GGUF metadata has no tokenizer.ggml.tokens, so no tokenizer");
    }
    if (!types.isEmpty() && types.size() != tokens.size()) {
      throw new FormatException(
          "the GGUF metadata has "
              + tokens.size()
              + " tokens but "
              + types.size()
              + " token types");
    }
    NAMED.forEach(key -> id(key).ifPresent(named::add));
  }

  static GgufVocabulary of(Map<String, Object> metadata) {
    return new GgufVocabulary(metadata);
  }

  /** The kind of tokenizer: gpt2, llama, ... */
  String model() {
    return text("model").orElse("");
  }

  /** The kind of model that the file holds. */
  String architecture() {
    return metadata.get("general.architecture") instanceof String name ? name : "";
  }

  /** The name of the rule that cuts a text before merging. */
  String preTokenizer() {
    return text("pre").orElse("default");
  }

  List<String> tokens() {
    return tokens;
  }

  /** Whether the vocabulary is Gemma's, which merges in its order and not by its scores. */
  boolean isGemma() {
    return GEMMA.contains(architecture());
  }

  /** Gemma's files spell runs of spaces as such, which its tokenizer.json writes as the rest. */
  private static List<String> spelledAsPieces(List<String> tokens) {
    return tokens.stream()
        .map(token -> token.isBlank() ? token.replace(" ", SentencePieceBpe.SPACE) : token)
        .toList();
  }

  /** Whether a token fills a place of the model that no text comes to. */
  boolean isUnused(int id) {
    return type(id) == UNUSED;
  }

  /** Whether a token stands for a byte. */
  boolean isByte(int id) {
    return type(id) == BYTE;
  }

  private long type(int id) {
    return types.isEmpty() ? 0 : number(types.get(id));
  }

  Kind kind(int id) {
    long type = type(id);
    if (type == CONTROL || type == UNKNOWN || named.contains(id)) {
      return Kind.CONTROL;
    }
    return type == USER_DEFINED ? Kind.USER_DEFINED : Kind.NORMAL;
  }

  /** Merges in their order, two tokens with a space between them each. */
  List<String> merges() {
    return texts("merges");
  }

  /** Scores of the tokens; empty where there are none. */
  double[] scores() {
    List<?> scores = list("scores");
    if (!scores.isEmpty() && scores.size() != tokens.size()) {
      throw new FormatException(
          "the GGUF metadata has " + tokens.size() + " tokens but " + scores.size() + " scores");
    }
    return scores.stream()
        .mapToDouble(score -> score instanceof Number number ? number.doubleValue() : 0)
        .toArray();
  }

  /** The id under a key such as {@code bos_token_id}. */
  OptionalInt id(String key) {
    Object value = metadata.get(PREFIX + key);
    if (value == null) {
      return OptionalInt.empty();
    }
    long id = number(value);
    if (id < 0 || id >= tokens.size()) {
      throw new FormatException(
          PREFIX + key + " is " + id + ", but the vocabulary has " + tokens.size() + " tokens");
    }
    return OptionalInt.of((int) id);
  }

  boolean addsBos() {
    // What llama.cpp does for files that do not say.
    boolean unsaid = model().equals("llama") || PreTokenizers.isLlama3(preTokenizer());
    return flag("add_bos_token", unsaid);
  }

  boolean addsEos() {
    return flag("add_eos_token", false);
  }

  /** Whether a space is put before a text (SentencePiece). */
  boolean addsSpacePrefix() {
    return flag("add_space_prefix", true);
  }

  /** Whether texts are normalised by rules of the vocabulary (SentencePiece). */
  boolean changesTexts() {
    return flag("remove_extra_whitespaces", false)
        || metadata.containsKey(PREFIX + "precompiled_charsmap");
  }

  private boolean flag(String key, boolean unsaid) {
    return metadata.get(PREFIX + key) instanceof Boolean flag ? flag : unsaid;
  }

  private Optional<String> text(String key) {
    return metadata.get(PREFIX + key) instanceof String text ? Optional.of(text) : Optional.empty();
  }

  private List<?> list(String key) {
    return metadata.get(PREFIX + key) instanceof List<?> list ? list : List.of();
  }

  private List<String> texts(String key) {
    return list(key).stream()
        .map(item -> {
          if (item instanceof String text) {
            return text;
          }
          throw new FormatException(PREFIX + key + " must be a list of texts");
        })
        .toList();
  }

  private static long number(Object value) {
    if (value instanceof Number number) {
      return number.longValue();
    }
    throw new FormatException("the GGUF metadata has '" + value + "' where a number is needed");
  }
}
