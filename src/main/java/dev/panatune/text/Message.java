package dev.panatune.text;

import java.util.Objects;

/**
 * One message of a conversation.
 *
 * @param role who speaks: {@code system}, {@code user}, {@code assistant} or what the model's chat
 *     template knows besides
 * @param content what is said
 */
public record Message(String role, String content) {
  /** The role of the messages that a model is trained to write. */
  public static final String ASSISTANT = "assistant";

  public Message {
    Objects.requireNonNull(role, "role");
    Objects.requireNonNull(content, "content");
  }

  /** A message of the user. */
  public static Message user(String content) {
    return new Message("user", content);
  }

  /** A message of the assistant. */
  public static Message assistant(String content) {
    return new Message(ASSISTANT, content);
  }

  /** A message of the system. */
  public static Message system(String content) {
    return new Message("system", content);
  }

  boolean isAssistant() {
    return role.equals(ASSISTANT);
  }
}
