package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Tokens whose embeddings are trained: PEFT's {@code trainable_token_indices}.
 *
 * @param indices token ids by the name of the module that has a row for each; the name {@code ""}
 *     is the input embeddings, whatever their name
 */
public record TrainableTokens(SequencedMap<String, List<Integer>> indices) {
  private static final String KEY = "trainable_token_indices";

  /** No tokens. */
  public static final TrainableTokens NONE = new TrainableTokens(new LinkedHashMap<>());

  /**
   * @throws ConfigurationException if a module has no token, a negative one, or one twice
   */
  public TrainableTokens {
    SequencedMap<String, List<Integer>> copy = new LinkedHashMap<>();
    indices.forEach((module, ids) -> {
      if (ids.isEmpty()
          || new HashSet<>(ids).size() != ids.size()
          || ids.stream().anyMatch(id -> id < 0)) {
        throw new ConfigurationException(
            KEY + ": " + ids + " is not a list of different token ids");
      }
      copy.put(module, List.copyOf(ids));
    });
    indices = Collections.unmodifiableSequencedMap(copy);
  }

  /** Tokens of the input embeddings (and of a head that is tied to them). */
  public static TrainableTokens of(List<Integer> ids) {
    SequencedMap<String, List<Integer>> indices = new LinkedHashMap<>();
    indices.put("", ids);
    return new TrainableTokens(indices);
  }

  /** Whether there are none. */
  public boolean isEmpty() {
    return indices.isEmpty();
  }

  /** PEFT's form: null, a list, or lists by module name. */
  Object toJson() {
    if (indices.isEmpty()) {
      return null;
    }
    return indices.size() == 1 && indices.containsKey("") ? indices.get("") : indices;
  }

  static TrainableTokens parse(Object value) {
    return switch (value) {
      case null -> NONE;
      case Collection<?> ids -> of(integers(ids));
      case Map<?, ?> byName -> {
        SequencedMap<String, List<Integer>> indices = new LinkedHashMap<>();
        byName.forEach((name, ids) -> indices.put(String.valueOf(name), integers(ids)));
        yield new TrainableTokens(indices);
      }
      default -> throw wrongType(value);
    };
  }

  private static List<Integer> integers(Object value) {
    if (!(value instanceof Collection<?> values)) {
      throw wrongType(value);
    }
    List<Integer> ids = new ArrayList<>();
    for (Object id : values) {
      if (!(id instanceof Integer token)) {
        throw wrongType(value);
      }
      ids.add(token);
    }
    return ids;
  }

  private static ConfigurationException wrongType(Object value) {
    return new ConfigurationException(
        KEY + ": " + value + " is neither a list of token ids nor such lists by module name");
  }
}
