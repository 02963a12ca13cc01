package dev.panatune.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Says in the words of a GGUF file's metadata what a tokenizer.json says, for BPE over bytes and
 * for SentencePiece's BPE and unigram models; the inverse of {@link GgufTokenizer}. Where the words
 * do not say all, the whole tokenizer.json stands beside them.
 */
final class GgufVocabularyWriter {
  private static final String PREFIX = "tokenizer.ggml.";
  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int UNUSED = 5;
  private static final int BYTE = 6;

  /** What SentencePiece gives to tokens that no merge makes. */
  private static final float UNMERGED = -1e6f;

  private final Tokenizer tokenizer;
  private final JsonNode json;
  private final JsonNode model;
  private final boolean unigram;
  private final boolean sentencePiece;
  private final String architecture;
  private final Map<String, Object> metadata = new LinkedHashMap<>();

  private GgufVocabularyWriter(Tokenizer tokenizer, String architecture) {
    this.tokenizer = tokenizer;
    this.architecture = architecture;
    try {
      this.json = new ObjectMapper().readTree(tokenizer.tokenizerJson());
    } catch (JsonProcessingException e) {
      throw new FormatException("tokenizer.json is not valid JSON: " + e.getOriginalMessage(), e);
    }
    this.model = json.path("model");
    this.unigram = model.path("type").asText().equals("Unigram");
    this.sentencePiece = GgufTokenizerLoss.isSentencePiece(json);
  }

  /**
   * Returns the metadata, with values as {@link dev.panatune.format.GgufWriter} takes them.
   *
   * @param architecture of the model, by which some vocabularies are read differently
   * @param size how many tokens the model has; those that the tokenizer lacks are marked as unused
   * @throws ConfigurationException if GGUF has no form for such a tokenizer
   */
  static Map<String, Object> write(Tokenizer tokenizer, String architecture, int size) {
    return new GgufVocabularyWriter(tokenizer, architecture).write(size);
  }

  private Map<String, Object> write(int size) {
    String type = model.path("type").asText();
    if (!unigram && !type.equals("BPE")) {
      throw new ConfigurationException(
          "A tokenizer of the kind %s has no form in GGUF here; BPE and Unigram have"
              .formatted(type));
    }
    metadata.put(PREFIX + "model", unigram ? "t5" : sentencePiece ? "llama" : "gpt2");
    if (sentencePiece) {
      metadata.put(PREFIX + "pre", "default");
    } else {
      boolean ignoresMerges = model.path("ignore_merges").asBoolean();
      metadata.put(PREFIX + "pre", PreTokenizers.name(json.path("pre_tokenizer"), ignoresMerges));
    }
    writeTokens(Math.max(size, tokenizer.vocabSize()));
    if (unigram) {
      writeScores();
    } else {
      writeMerges();
    }
    if (sentencePiece) {
      metadata.put(PREFIX + "add_space_prefix", addsSpacePrefix());
    }
    writeSpecialTokens();
    tokenizer.chatTemplate().ifPresent(text -> metadata.put("tokenizer.chat_template", text));
    if (GgufTokenizerLoss.happens(json, whole())) {
      metadata.put(GgufTokenizer.WHOLE, tokenizer.tokenizerJson());
    }
    return metadata;
  }

  private Map<String, Object> whole() {
    Map<String, Object> whole = new LinkedHashMap<>(metadata);
    whole.put("general.architecture", architecture);
    return whole;
  }

  private void writeTokens(int size) {
    List<String> tokens = new ArrayList<>(size);
    Integer[] types = new Integer[size];
    for (int id = 0; id < size; id++) {
      String token = tokenizer.tokenOrNull(id);
      tokens.add(token == null ? "[PAD%d]".formatted(id) : token);
      boolean isByte = sentencePiece && token != null && token.matches("<0x[0-9A-F]{2}>");
      types[id] = token == null ? UNUSED : isByte ? BYTE : NORMAL;
    }
    for (JsonNode added : json.path("added_tokens")) {
      types[added.path("id").asInt()] = added.path("special").asBoolean() ? CONTROL : USER_DEFINED;
    }
    unknown()
        .ifPresent(id -> {
          types[id] = sentencePiece ? UNKNOWN : CONTROL;
          metadata.put(PREFIX + "unknown_token_id", id);
        });
    metadata.put(PREFIX + "tokens", tokens);
    metadata.put(PREFIX + "token_type", List.of(types));
  }

  /** Tokens that are not of the model have its least score, so that they change none of its own. */
  private void writeScores() {
    float least = 0;
    for (JsonNode piece : model.path("vocab")) {
      least = Math.min(least, (float) piece.path(1).asDouble());
    }
    List<?> tokens = (List<?>) metadata.get(PREFIX + "tokens");
    List<Float> scores = new ArrayList<>(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      JsonNode piece = model.path("vocab").path(id);
      scores.add(piece.isMissingNode() ? least : (float) piece.path(1).asDouble());
    }
    metadata.put(PREFIX + "scores", scores);
  }

  private OptionalInt unknown() {
    if (model.path("unk_id").isInt()) {
      return OptionalInt.of(model.path("unk_id").asInt());
    }
    String special = tokenizer.specialTokens().getOrDefault("unk_token", "");
    return tokenizer.idOf(model.path("unk_token").asText(special));
  }

  private void writeMerges() {
    List<String> merges = new ArrayList<>();
    Map<String, Float> scores = new HashMap<>();
    for (JsonNode merge : model.path("merges")) {
      String left = merge.isTextual() ? merge.asText().split(" ", 2)[0] : merge.path(0).asText();
      String right = merge.isTextual() ? merge.asText().split(" ", 2)[1] : merge.path(1).asText();
      scores.putIfAbsent(left + right, (float) -merges.size());
      merges.add(left + " " + right);
    }
    if (!sentencePiece) {
      metadata.put(PREFIX + "merges", merges);
      return;
    }
    List<?> tokens = (List<?>) metadata.get(PREFIX + "tokens");
    List<Float> all = new ArrayList<>(Collections.nCopies(tokens.size(), UNMERGED));
    for (int id = 0; id < all.size(); id++) {
      all.set(id, scores.getOrDefault(tokens.get(id), UNMERGED));
    }
    metadata.put(PREFIX + "scores", all);
    if (GgufTokenizerLoss.ofMerges(json, whole())) {
      metadata.put(PREFIX + "merges", merges);
    }
  }

  private boolean addsSpacePrefix() {
    String prepend = json.path("pre_tokenizer").path("prepend_scheme").asText("");
    boolean normalizes = json.path("normalizer").toString().contains("\"Prepend\"");
    return normalizes || prepend.equals("first") || prepend.equals("always");
  }

  private void writeSpecialTokens() {
    tokenizer.bosId().ifPresent(id -> metadata.put(PREFIX + "bos_token_id", id));
    tokenizer.eosId().ifPresent(id -> metadata.put(PREFIX + "eos_token_id", id));
    tokenizer.padId().ifPresent(id -> metadata.put(PREFIX + "padding_token_id", id));
    tokenizer.eosIds().stream()
        .filter(id -> tokenizer.eosId().isPresent() && id != tokenizer.eosId().getAsInt())
        .findFirst()
        .ifPresent(id -> metadata.put(PREFIX + "eot_token_id", id));
    int[] front = tokenizer.frontIds();
    int[] plain = tokenizer.encode("a", false);
    int[] whole = tokenizer.encode("a", true);
    boolean bos = front.length > 0;
    if (bos && (tokenizer.bosId().isEmpty() || front[0] != tokenizer.bosId().getAsInt())) {
      throw new ConfigurationException(
          "The tokenizer puts %s before a text, for which GGUF has no form"
              .formatted(tokenizer.token(front[0])));
    }
    metadata.put(PREFIX + "add_bos_token", bos);
    metadata.put(PREFIX + "add_eos_token", whole.length > front.length + plain.length);
  }
}
