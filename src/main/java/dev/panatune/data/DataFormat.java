package dev.panatune.data;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** The shapes a row of a JSONL file may have. */
public enum DataFormat {
  /** {@code instruction}, optional {@code input}, {@code output}. */
  INSTRUCTION("instruction", List.of("instruction", "output")),
  /** {@code messages}: a list of {@code role} and {@code content}. */
  CHAT("chat", List.of("messages")),
  /** {@code prompt} and {@code completion}. */
  PROMPT_COMPLETION("prompt-completion", List.of("prompt", "completion")),
  /** {@code text}. */
  TEXT("text", List.of("text")),
  /** {@code text} and {@code label}, for a classifier; never told from a row. */
  CLASSIFICATION("classification", List.of("text", "label"));

  private final String label;
  private final List<String> keys;

  DataFormat(String label, List<String> keys) {
    this.label = label;
    this.keys = keys;
  }

  /** The name in configuration files and messages. */
  public String label() {
    return label;
  }

  /** The keys that every row of the format has. */
  public List<String> keys() {
    return keys;
  }

  /**
   * The format of that name; {@code auto} gives none: the file's first row decides.
   *
   * @throws ConfigurationException if there is no such format
   */
  public static Optional<DataFormat> parse(String name) {
    String wanted = name.toLowerCase(Locale.ROOT).replace('_', '-');
    if (wanted.equals("auto")) {
      return Optional.empty();
    }
    for (DataFormat format : values()) {
      if (format.label.equals(wanted)) {
        return Optional.of(format);
      }
    }
    List<String> labels = Arrays.stream(values()).map(DataFormat::label).toList();
    throw new ConfigurationException(
        "unknown data format '%s'%s; known are auto, %s"
            .formatted(
                name,
                Suggestion.nearest(wanted, labels).map(" (did you mean %s?)"::formatted).orElse(""),
                String.join(", ", labels)));
  }

  /** The format whose first key is among those of a row, if any is. */
  static Optional<DataFormat> of(Set<String> rowKeys) {
    return Arrays.stream(values())
        .filter(format -> rowKeys.contains(format.keys.getFirst()))
        .findFirst();
  }
}
