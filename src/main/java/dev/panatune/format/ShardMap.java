package dev.panatune.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The {@code weight_map} of a {@code *.safetensors.index.json}: tensor to shard, both as the file
 * spells them.
 *
 * @param shardOf by tensor name, in file order
 * @param names of the shards, in order of first mention
 */
record ShardMap(Map<String, String> shardOf, Set<String> names) {
  private static final String FIELD = "weight_map";
  private static final int MOST_SHARDS = 10_000;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder().maxNestingDepth(100).maxStringLength(4096).build())
          .build();

  static ShardMap read(Path index, HeapBudget budget) {
    String source = Printable.path(index);
    try (RegularFile file = RegularFile.open(index)) {
      if (file.size() > SafetensorsHeader.MAX_HEADER_BYTES) {
        throw new FormatException(source + " is too large for an index: " + file.size() + " bytes");
      }
      try (JsonParser json = JSON.createParser(StrictUtf8.reader(file.stream(0, file.size())))) {
        return parse(json, index, budget);
      }
    } catch (CharacterCodingException e) {
      throw new FormatException(source + " is not UTF-8 text", e);
    } catch (JsonProcessingException e) {
      throw new FormatException(source + " is not valid JSON: " + StrictJson.explain(e), e);
    } catch (IOException e) {
      throw new FormatException(source + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static ShardMap parse(JsonParser json, Path index, HeapBudget budget) throws IOException {
    String source = Printable.path(index);
    if (json.nextToken() != JsonToken.START_OBJECT) {
      throw new FormatException(source + " must hold a JSON object ({...})");
    }
    ShardMap map = null;
    while (json.nextToken() != JsonToken.END_OBJECT) {
      boolean wanted = json.currentName().equals(FIELD);
      json.nextToken();
      if (!wanted) {
        json.skipChildren();
      } else if (map != null) {
        throw new FormatException(source + " has " + FIELD + " twice");
      } else {
        map = parseMap(json, index, budget);
      }
    }
    if (json.nextToken() != null) {
      throw new FormatException(source + " has text after its JSON object");
    }
    if (map == null || map.shardOf().isEmpty()) {
      throw new FormatException(source + " has no " + FIELD + " that names tensors and files");
    }
    return map;
  }

  private static ShardMap parseMap(JsonParser json, Path index, HeapBudget budget)
      throws IOException {
    String source = Printable.path(index);
    if (!json.isExpectedStartObjectToken()) {
      throw new FormatException(source + " has a " + FIELD + " that is no JSON object");
    }
    Map<String, String> shardOf = new LinkedHashMap<>();
    Map<String, String> names = new LinkedHashMap<>();
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String tensor = json.currentName();
      if (json.nextToken() != JsonToken.VALUE_STRING) {
        throw new FormatException(
            source + " gives no file name for the tensor " + Printable.quoted(tensor));
      }
      String shard = names.computeIfAbsent(json.getText(), name -> name);
      budget.charge(48 + HeapBudget.stringBytes(tensor.length()), index);
      if (names.size() > MOST_SHARDS) {
        throw new FormatException(source + " names more than " + MOST_SHARDS + " files");
      }
      if (shardOf.put(tensor, shard) != null) {
        throw new FormatException(
            source + " names the tensor " + Printable.quoted(tensor) + " twice");
      }
    }
    return new ShardMap(
        Collections.unmodifiableMap(shardOf), Collections.unmodifiableSet(names.keySet()));
  }
}
