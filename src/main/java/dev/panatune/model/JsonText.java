package dev.panatune.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.Map;

/** Writes the JSON files that lie beside a model's weights, laid out as Python does it. */
final class JsonText {
  private static final ObjectWriter WRITER = new JsonMapper().writer(layout());

  private JsonText() {}

  private static DefaultPrettyPrinter layout() {
    Separators separators =
        Separators.createDefaultInstance().withObjectFieldValueSpacing(Separators.Spacing.AFTER);
    DefaultIndenter indenter = new DefaultIndenter("  ", "\n");
    return new DefaultPrettyPrinter(separators)
        .withObjectIndenter(indenter)
        .withArrayIndenter(indenter);
  }

  /** Returns the text of a file that holds one JSON object, with a final line end. */
  static String of(Map<String, Object> values) {
    try {
      return WRITER.writeValueAsString(values) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not JSON values: " + values, e);
    }
  }
}
