package dev.panatune.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * A JSON file of a checkpoint. Its content is known to be what was written, by the checkpoint's
 * manifest; a log in it may be long, so its size has no limit.
 */
final class JsonState {
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          // An infinite perplexity is written and read as Python's json module does.
          .disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .build();

  private final Path file;
  private final JsonNode node;

  private JsonState(Path file, JsonNode node) {
    this.file = file;
    this.node = node;
  }

  static byte[] bytes(Map<String, ?> values) {
    try {
      return (JSON.writeValueAsString(values) + "\n").getBytes(StandardCharsets.UTF_8);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("a value has no JSON form", e);
    }
  }

  static JsonState read(Path file) {
    try {
      return new JsonState(file, JSON.readTree(Files.readAllBytes(file)));
    } catch (IOException e) {
      throw new FormatException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  JsonState at(String key) {
    JsonNode found = node.get(key);
    if (found == null) {
      throw new FormatException(file + " has no '" + key + "': another program wrote it");
    }
    return new JsonState(file, found);
  }

  /** The members of an object, in the order of the file. */
  SequencedMap<String, JsonState> members() {
    SequencedMap<String, JsonState> members = new LinkedHashMap<>();
    node.properties().forEach(e -> members.put(e.getKey(), new JsonState(file, e.getValue())));
    return members;
  }

  /** The elements of an array. */
  List<JsonState> elements() {
    List<JsonState> elements = new ArrayList<>();
    node.forEach(element -> elements.add(new JsonState(file, element)));
    return elements;
  }

  /** A number, a truth value or text, as it is written. */
  String word() {
    return node.asText();
  }

  boolean isNull() {
    return node.isNull();
  }

  int integer() {
    return Math.toIntExact(whole());
  }

  long whole() {
    if (!node.isIntegralNumber() || !node.canConvertToLong()) {
      throw new FormatException(file + " has " + node + " where a whole number belongs");
    }
    return node.longValue();
  }

  double number() {
    if (!node.isNumber()) {
      throw new FormatException(file + " has " + node + " where a number belongs");
    }
    return node.doubleValue();
  }
}
