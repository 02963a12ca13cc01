package dev.panatune.text;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A GGUF file's t5 vocabulary as lines of text, which a fuzzer changes more easily than a file full
 * of lengths: first settings such as {@code bos_token_id=1 add_eos_token=true}, then for each token
 * its type, its score and itself, with spaces between them.
 */
final class UnigramLines {
  private static final String PREFIX = "tokenizer.ggml.";

  private UnigramLines() {}

  /** The metadata that the lines describe, as the reader of GGUF files gives it; or none. */
  static Optional<Map<String, Object>> metadata(byte[] bytes) {
    String[] lines = new String(bytes, StandardCharsets.UTF_8).split("\n", -1);
    List<Object> tokens = new ArrayList<>();
    List<Object> types = new ArrayList<>();
    List<Object> scores = new ArrayList<>();
    Map<String, Object> metadata = new LinkedHashMap<>();
    try {
      for (String setting : lines[0].split(" ")) {
        String[] parts = setting.split("=", 2);
        metadata.put(PREFIX + parts[0], value(parts[parts.length - 1]));
      }
      for (int line = 1; line < lines.length; line++) {
        String[] parts = lines[line].split(" ", 3);
        types.add(Long.valueOf(parts[0]));
        scores.add(Double.valueOf(parts[1]));
        tokens.add(parts[2]);
      }
    } catch (NumberFormatException | ArrayIndexOutOfBoundsException noVocabulary) {
      return Optional.empty();
    }
    metadata.put(PREFIX + "model", "t5");
    metadata.put(PREFIX + "tokens", tokens);
    metadata.put(PREFIX + "token_type", types);
    metadata.put(PREFIX + "scores", scores);
    return Optional.of(metadata);
  }

  private static Object value(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> Long.valueOf(text);
    };
  }
}
