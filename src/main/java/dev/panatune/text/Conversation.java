package dev.panatune.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Everything that a chat template can be given, as {@code apply_chat_template} takes it.
 *
 * @param messages mappings with {@code role}, {@code content} and what else the template reads,
 *     such as {@code tool_calls}; values are null, booleans, numbers, text, lists and mappings
 * @param tools JSON schemas of the functions that the model may call; null for none
 * @param documents documents for retrieval, with {@code title} and {@code text}; null for none
 * @param addGenerationPrompt whether the text ends with the beginning of the assistant's answer
 * @param variables further variables of the template, such as {@code enable_thinking}
 */
public record Conversation(
    List<Map<String, Object>> messages,
    List<Map<String, Object>> tools,
    List<Map<String, Object>> documents,
    boolean addGenerationPrompt,
    Map<String, Object> variables) {

  /** A conversation without tools and documents. */
  public static Conversation of(List<Message> messages, boolean addGenerationPrompt) {
    List<Map<String, Object>> fields = new ArrayList<>();
    for (Message message : messages) {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("role", message.role());
      map.put("content", message.content());
      fields.add(map);
    }
    return new Conversation(fields, null, null, addGenerationPrompt, Map.of());
  }
}
