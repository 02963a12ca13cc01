package dev.panatune.run;

import dev.panatune.text.ChatEncoder;
import dev.panatune.text.Message;
import dev.panatune.text.Tokenizer;
import java.util.List;
import java.util.Optional;

/** Turns what a person asks into the tokens that a model goes on from. */
public final class Prompt {
  /** How a prompt is meant. */
  public enum Format {
    /** The text as it is. */
    RAW,
    /** A question, put into the model's chat template. */
    CHAT
  }

  private Prompt() {}

  /**
   * The tokens of a prompt.
   *
   * @param format empty for chat where the model has a template, else raw
   */
  public static int[] encode(Tokenizer tokenizer, Optional<Format> format, String prompt) {
    boolean templated = tokenizer.chatTemplate().isPresent();
    return format.orElse(templated ? Format.CHAT : Format.RAW) == Format.CHAT
        ? encodeChat(tokenizer, List.of(new Message("user", prompt)))
        : tokenizer.encode(prompt, true);
  }

  /** The tokens of a conversation, up to where the assistant's next message begins. */
  public static int[] encodeChat(Tokenizer tokenizer, List<Message> messages) {
    return ChatEncoder.of(tokenizer).promptIds(messages);
  }
}
