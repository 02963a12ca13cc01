package dev.panatune.text;

import dev.panatune.error.PanatuneException;
import dev.panatune.text.jinja.Rendering;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Turns conversations into tokens and says which of them a model is trained to produce.
 *
 * <p>A conversation is rendered and tokenised once, as a whole. Targets are what the assistant says
 * through the token that ends its turn, not the newline that a template puts after it. No special
 * token is added to those that the template writes. Any number of threads may use one encoder.
 */
public final class ChatEncoder {
  private final Tokenizer tokenizer;
  private final ChatTemplate template;
  private final AnswerFinder answers;

  /** An encoder with a template of the caller's choice. */
  public ChatEncoder(Tokenizer tokenizer, ChatTemplate template) {
    this.tokenizer = tokenizer;
    this.template = template;
    Set<String> endTokens =
        tokenizer.eosIds().stream().map(tokenizer::token).collect(Collectors.toUnmodifiableSet());
    this.answers = new AnswerFinder(template, endTokens);
  }

  /** An encoder with the model's chat template, or the default one for a model without. */
  public static ChatEncoder of(Tokenizer tokenizer) {
    return new ChatEncoder(
        tokenizer,
        tokenizer
            .chatTemplate()
            .map(source -> ChatTemplate.of(source, tokenizer.specialTokens()))
            .orElseGet(() -> ChatTemplate.defaultTemplate(tokenizer.specialTokens())));
  }

  /** The template in use. */
  public ChatTemplate template() {
    return template;
  }

  /**
   * Encodes a conversation to train on.
   *
   * @return its tokens; without an answer of the assistant, none is a target
   * @throws PanatuneException when the template refuses the conversation, or the answers cannot be
   *     found in what it renders
   */
  public EncodedChat encode(List<Message> messages) {
    Rendering rendering = template.render(Conversation.of(messages, false));
    List<AnswerSpan> spans = answers.find(messages, rendering);
    Encoding encoding = tokenizer.encodeWithOffsets(rendering.text());
    boolean[] target = TokenMask.of(encoding, spans);
    EncodedChat chat = new EncodedChat(encoding.ids(), target);
    if (chat.targetCount() == 0 && messages.stream().anyMatch(Message::isAssistant)) {
      throw new PanatuneException(
          "the chat template renders nothing that the assistant says; give the model a chat"
              + " template that marks the answers with {% generation %}");
    }
    return chat;
  }

  /** Ids of a conversation followed by the beginning of the assistant's answer. */
  public int[] promptIds(List<Message> messages) {
    return tokenizer.encode(template.render(messages, true), false);
  }

  /**
   * Encodes a text with the tokenizer's own special tokens; targets are all tokens but the first,
   * which nothing precedes.
   */
  public EncodedChat encodePlain(String text) {
    int[] ids = tokenizer.encode(text, true);
    boolean[] target = new boolean[ids.length];
    Arrays.fill(target, Math.min(1, ids.length), ids.length, true);
    return new EncodedChat(ids, target);
  }

  /**
   * Encodes a prompt and its completion as one text with the tokenizer's own special tokens;
   * targets are the completion and the token that ends the text, which is added.
   *
   * @throws PanatuneException if the tokenizer has no eos token
   */
  public EncodedChat encodeCompletion(String prompt, String completion) {
    OptionalInt eos = tokenizer.eosId();
    if (eos.isEmpty()) {
      throw new PanatuneException(
          "a completion ends with the tokenizer's eos token, and it has none; set eos_token in"
              + " tokenizer_config.json");
    }
    String text = prompt + completion;
    Encoding encoding = tokenizer.encodeWithOffsets(text);
    boolean[] said =
        TokenMask.of(encoding, List.of(new AnswerSpan(prompt.length(), text.length())));
    int[] front = tokenizer.frontIds();
    int[] ids = Arrays.copyOf(front, front.length + said.length + 1);
    boolean[] target = new boolean[ids.length];
    System.arraycopy(encoding.ids(), 0, ids, front.length, said.length);
    System.arraycopy(said, 0, target, front.length, said.length);
    ids[ids.length - 1] = eos.getAsInt();
    target[ids.length - 1] = true;
    return new EncodedChat(ids, target);
  }
}
