package dev.panatune.text;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/** The tokens of a tokenizer.json by id and by text, and which of them are special. */
final class Vocabulary {
  private static final int LARGEST_ID = (1 << 24) - 1;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final String source;
  private final TokenizerParts parts;
  private final Map<String, Integer> ids = new HashMap<>();
  private final Map<Integer, String> tokens = new HashMap<>();
  private final Set<Integer> added = new TreeSet<>();
  private final Set<Integer> special = new TreeSet<>();
  private int size;

  private Vocabulary(String source) {
    this.source = source;
    this.parts = new TokenizerParts(source);
  }

  /**
   * Reads the vocabulary and the added tokens from the text of a tokenizer.json.
   *
   * @param source what the text is, for the message of an error
   * @throws FormatException if it is no tokenizer.json
   */
  static Vocabulary parse(String json, String source) {
    Vocabulary vocabulary = new Vocabulary(source);
    try (JsonParser parser = JSON.createParser(json)) {
      vocabulary.read(parser);
    } catch (JsonProcessingException e) {
      throw new FormatException(source + " is not valid JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new FormatException(source + " cannot be read: " + e.getMessage(), e);
    }
    if (vocabulary.size == 0) {
      throw new FormatException(source + " has no vocabulary (model.vocab)");
    }
    return vocabulary;
  }

  private void read(JsonParser parser) throws IOException {
    require(parser.nextToken() == JsonToken.START_OBJECT, "must hold a JSON object");
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      JsonToken value = parser.nextToken();
      if (name.equals("model") && value == JsonToken.START_OBJECT) {
        readModel(parser);
      } else if (name.equals("added_tokens") && value == JsonToken.START_ARRAY) {
        while (parser.nextToken() == JsonToken.START_OBJECT) {
          readAddedToken(parser);
        }
      } else if (TokenizerParts.checks(name)) {
        parts.check(name, parser.readValueAsTree());
      } else {
        parser.skipChildren();
      }
    }
  }

  private void readModel(JsonParser parser) throws IOException {
    String type = "";
    String prefix = "";
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      JsonToken value = parser.nextToken();
      switch (name) {
        case "type" -> type = parser.getValueAsString("");
        case "continuing_subword_prefix" -> prefix = parser.getValueAsString("");
        case "vocab" -> readTokens(parser, value);
        default -> parser.skipChildren();
      }
    }
    // The library cuts the prefix off every merge without looking whether it is there.
    require(
        prefix.isEmpty() || type.equals("WordPiece"),
        "has a BPE model with a continuing_subword_prefix, which is not supported");
  }

  private void readTokens(JsonParser parser, JsonToken value) throws IOException {
    if (value == JsonToken.START_ARRAY) {
      readPieces(parser);
      return;
    }
    require(value == JsonToken.START_OBJECT, "has a vocabulary that is no object and no list");
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String token = parser.currentName();
      parser.nextToken();
      put(token, id(parser));
    }
  }

  /** The vocabulary of a unigram model: pairs of a token and its score, the place is the id. */
  private void readPieces(JsonParser parser) throws IOException {
    for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
      require(parser.nextToken() == JsonToken.VALUE_STRING, "has a piece without text");
      put(parser.getText(), id);
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        require(parser.currentToken() != null, "ends inside of its vocabulary");
      }
    }
  }

  private void readAddedToken(JsonParser parser) throws IOException {
    int id = -1;
    String content = null;
    boolean isSpecial = false;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String field = parser.currentName();
      parser.nextToken();
      switch (field) {
        case "id" -> id = id(parser);
        case "content" -> content = parser.getValueAsString();
        case "special" -> isSpecial = parser.getValueAsBoolean();
        default -> parser.skipChildren();
      }
    }
    require(id >= 0 && content != null, "has an added token without id or content");
    put(content, id);
    added.add(id);
    if (isSpecial) {
      special.add(id);
    }
  }

  private int id(JsonParser parser) throws IOException {
    require(
        parser.currentToken() == JsonToken.VALUE_NUMBER_INT, "has a token id that is no integer");
    long id = parser.getLongValue();
    require(id >= 0 && id <= LARGEST_ID, "has the token id " + id + ", out of 0 to " + LARGEST_ID);
    return (int) id;
  }

  private void put(String token, int id) {
    ids.put(token, id);
    tokens.put(id, token);
    size = Math.max(size, id + 1);
  }

  private void require(boolean condition, String problem) {
    if (!condition) {
      throw new FormatException(source + " " + problem);
    }
  }

  /** One more than the largest id. */
  int size() {
    return size;
  }

  OptionalInt idOf(String token) {
    Integer id = ids.get(token);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** The token of an id, null where there is none. */
  String token(int id) {
    return tokens.get(id);
  }

  /** The ids that are matched as a whole in a text before anything else. */
  Set<Integer> added() {
    return Collections.unmodifiableSet(added);
  }

  /** The ids that are left out when special tokens are skipped. */
  Set<Integer> special() {
    return Collections.unmodifiableSet(special);
  }
}
