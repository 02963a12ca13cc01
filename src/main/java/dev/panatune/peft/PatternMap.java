package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Values of their own for some layers: PEFT's {@code rank_pattern} and {@code alpha_pattern}.
 *
 * <p>A key is a regular expression; it fits a path that it matches as a whole, or from behind a dot
 * on. The first key that fits counts.
 *
 * @param values in the order in which the keys are tried
 */
public record PatternMap<T>(SequencedMap<String, T> values) {
  public PatternMap {
    values.keySet().forEach(PatternMap::compile);
    values = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(values));
  }

  /** No values. */
  public static <T> PatternMap<T> none() {
    return new PatternMap<>(new LinkedHashMap<>());
  }

  /** The value of the first key that fits a layer's path. */
  Optional<T> find(String path) {
    for (Map.Entry<String, T> entry : values.entrySet()) {
      Matcher matcher = compile(entry.getKey()).matcher(path);
      if (matcher.matches()) {
        return Optional.of(entry.getValue());
      }
    }
    return Optional.empty();
  }

  private static Pattern compile(String key) {
    try {
      return Pattern.compile("(.*\\.)?(" + key + ")");
    } catch (PatternSyntaxException e) {
      throw new ConfigurationException(
          "'" + key + "' is not a regular expression: " + e.getDescription(), e);
    }
  }
}
