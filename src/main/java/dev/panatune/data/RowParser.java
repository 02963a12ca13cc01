package dev.panatune.data;

import com.fasterxml.jackson.databind.JsonNode;
import dev.panatune.data.Row.ChatRow;
import dev.panatune.data.Row.InstructionRow;
import dev.panatune.data.Row.LabelledRow;
import dev.panatune.data.Row.PromptCompletionRow;
import dev.panatune.data.Row.TextRow;
import dev.panatune.error.Suggestion;
import dev.panatune.text.Message;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** Turns the JSON object of one line into a row of one format. */
interface RowParser {

  /**
   * The row of that object.
   *
   * @throws BadRow if a key is missing, of another type, or the answer is empty
   */
  Row parse(JsonNode object);

  /** What is wrong with a row; the reader adds where it is. */
  final class BadRow extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BadRow(String message) {
      super(message, null, false, false);
    }
  }

  static RowParser of(DataFormat format) {
    return switch (format) {
      case INSTRUCTION ->
          row ->
              new InstructionRow(
                  text(row, "instruction"), optionalText(row, "input"), answer(row, "output"));
      case CHAT -> RowParser::chat;
      case PROMPT_COMPLETION ->
          row -> new PromptCompletionRow(text(row, "prompt"), answer(row, "completion"));
      case TEXT -> row -> new TextRow(answer(row, "text"));
      case CLASSIFICATION -> RowParser::labelled;
    };
  }

  /** The parser for rows that look like this one. */
  static RowParser detect(JsonNode object) {
    Set<String> keys = keys(object);
    return of(
        DataFormat.of(keys)
            .orElseThrow(() ->
                new BadRow(
                    "cannot tell the format from the keys "
                        + keys
                        + "; a row has instruction and output, or messages, or prompt and"
                        + " completion, or text")));
  }

  private static Row labelled(JsonNode row) {
    String text = answer(row, "text");
    Optional<String> pair =
        row.hasNonNull("text_pair") ? Optional.of(text(row, "text_pair")) : Optional.empty();
    JsonNode label = required(row, "label");
    if (label.isIntegralNumber()) {
      return new LabelledRow(text, pair, label.asText(), true);
    }
    if (label.isArray() || label.isFloatingPointNumber()) {
      throw new BadRow(
          "key 'label' is %s, and a text has one class: several labels (multi_label_classification)"
                  .formatted(kind(label))
              + " and values (regression) are not trained from a run file");
    }
    if (!label.isTextual() || label.textValue().isEmpty()) {
      throw new BadRow(
          "key 'label' is %s, neither a class's name nor its number".formatted(kind(label)));
    }
    return new LabelledRow(text, pair, label.textValue(), false);
  }

  private static Row chat(JsonNode row) {
    JsonNode list = required(row, "messages");
    if (!list.isArray()) {
      throw new BadRow("key 'messages' is " + kind(list) + ", not a list");
    }
    List<Message> messages = new ArrayList<>();
    boolean answered = false;
    for (JsonNode message : list) {
      String where = "messages[" + messages.size() + "]";
      if (!message.isObject()) {
        throw new BadRow(where + " is " + kind(message) + ", not an object");
      }
      if (message.hasNonNull("tool_calls")) {
        throw new BadRow(where + " has 'tool_calls', which are not supported yet");
      }
      Message read = message(message, where);
      messages.add(read);
      answered |= read.role().equals("assistant") && !read.content().isBlank();
    }
    if (!answered) {
      throw new BadRow("the row has no answer: no message of role 'assistant' has any content");
    }
    return new ChatRow(messages);
  }

  private static Message message(JsonNode message, String where) {
    try {
      return new Message(text(message, "role"), text(message, "content"));
    } catch (BadRow e) {
      throw new BadRow(where + ": " + e.getMessage());
    }
  }

  /** A text that the model learns: it must say something. */
  private static String answer(JsonNode row, String key) {
    JsonNode value = row.get(key);
    if (value == null || value.isNull()) {
      throw new BadRow("the row has no answer: key '" + key + "' is missing" + hint(row, key));
    }
    String text = text(row, key);
    if (text.isBlank()) {
      throw new BadRow("the row has no answer: key '" + key + "' is empty");
    }
    return text;
  }

  private static String optionalText(JsonNode row, String key) {
    return row.hasNonNull(key) ? text(row, key) : "";
  }

  private static String text(JsonNode row, String key) {
    JsonNode value = required(row, key);
    if (!value.isTextual()) {
      throw new BadRow("key '" + key + "' is " + kind(value) + ", not a string");
    }
    return value.textValue();
  }

  private static JsonNode required(JsonNode row, String key) {
    JsonNode value = row.get(key);
    if (value == null) {
      throw new BadRow("key '" + key + "' is missing" + hint(row, key));
    }
    return value;
  }

  private static String hint(JsonNode row, String key) {
    return Suggestion.nearest(key, keys(row))
        .map(near -> "; did you mean to name '" + near + "' so?")
        .orElse("; the row has " + keys(row));
  }

  private static Set<String> keys(JsonNode object) {
    Set<String> keys = new LinkedHashSet<>();
    object.fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  /** The JSON type of a value, to be named in a message. */
  static String kind(JsonNode node) {
    String name = node.getNodeType().name().toLowerCase(Locale.ROOT);
    return switch (name) {
      case "null" -> "null";
      case "array", "object" -> "an " + name;
      default -> "a " + name;
    };
  }
}
