package dev.panatune.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What of a tokenizer.json is lost where a GGUF file has llama.cpp's words for it alone, which have
 * none for other normalizers and pre-tokenizers than the usual ones, say.
 */
final class GgufTokenizerLoss {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final JsonNode original;
  private final JsonNode found;

  private GgufTokenizerLoss(JsonNode original, JsonNode found) {
    this.original = original;
    this.found = found;
  }

  /**
   * Returns whether other ids could come of the metadata than of the tokenizer.json.
   *
   * @param metadata of the whole file, without the tokenizer.json
   */
  static boolean happens(JsonNode tokenizerJson, Map<String, Object> metadata) {
    return !new GgufTokenizerLoss(tokenizerJson, read(metadata)).same();
  }

  /** Returns whether the scores of tokens imply other merges than those of the tokenizer.json. */
  static boolean ofMerges(JsonNode tokenizerJson, Map<String, Object> metadata) {
    return !merges(tokenizerJson).equals(merges(read(metadata)));
  }

  private static JsonNode read(Map<String, Object> metadata) {
    try {
      return JSON.readTree(GgufTokenizer.of(metadata).json());
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private boolean same() {
    // That of BPE over bytes has a name in GGUF, or would have been refused.
    boolean named = !isSentencePiece(original);
    return same("normalizer")
        && (named || same("pre_tokenizer"))
        && addedTokens(original).equals(addedTokens(found))
        // There may be more: tokens that fill a place of the model, which no text comes to.
        && vocabulary(found).entrySet().containsAll(vocabulary(original).entrySet())
        && merges(original).equals(merges(found))
        && unknown();
  }

  static boolean isSentencePiece(JsonNode tokenizerJson) {
    JsonNode model = tokenizerJson.path("model");
    return model.path("type").asText().equals("Unigram") || model.path("byte_fallback").asBoolean();
  }

  private boolean same(String part) {
    JsonNode a = original.path(part);
    JsonNode b = found.path(part);
    return a.equals(b) || (isNothing(a) && isNothing(b));
  }

  private static boolean isNothing(JsonNode node) {
    return node.isMissingNode() || node.isNull();
  }

  private static Map<Integer, List<Object>> addedTokens(JsonNode document) {
    Map<Integer, List<Object>> tokens = new HashMap<>();
    for (JsonNode token : document.path("added_tokens")) {
      tokens.put(
          token.path("id").asInt(),
          List.of(
              token.path("content").asText(),
              token.path("special").asBoolean(),
              token.path("single_word").asBoolean(),
              token.path("lstrip").asBoolean(),
              token.path("rstrip").asBoolean(),
              token.path("normalized").asBoolean()));
    }
    return tokens;
  }

  /** Tokens of the model by id, with their scores; added ones are compared apart. */
  private static Map<Integer, List<Object>> vocabulary(JsonNode document) {
    Map<Integer, List<Object>> tokens = new HashMap<>();
    JsonNode vocabulary = document.path("model").path("vocab");
    if (vocabulary.isArray()) {
      for (JsonNode piece : vocabulary) {
        tokens.put(
            tokens.size(), List.of(piece.path(0).asText(), (float) piece.path(1).asDouble()));
      }
    } else {
      vocabulary
          .properties()
          .forEach(entry -> tokens.put(entry.getValue().asInt(), List.of(entry.getKey())));
    }
    addedTokens(document).keySet().forEach(tokens::remove);
    return tokens;
  }

  private static List<List<String>> merges(JsonNode document) {
    List<List<String>> merges = new ArrayList<>();
    for (JsonNode merge : document.path("model").path("merges")) {
      merges.add(
          merge.isTextual()
              ? List.of(merge.asText().split(" ", 2))
              : List.of(merge.path(0).asText(), merge.path(1).asText()));
    }
    return merges;
  }

  /** Where each byte has a token, nothing is unknown. */
  private boolean unknown() {
    JsonNode model = original.path("model");
    if (model.path("byte_fallback").asBoolean()) {
      return true;
    }
    return List.of("unk_token", "unk_id").stream()
        .allMatch(
            key -> model.path(key).asText("").equals(found.path("model").path(key).asText("")));
  }
}
