package dev.panatune.text;

import dev.panatune.error.PanatuneException;
import dev.panatune.text.jinja.Rendering;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Finds what the assistant says in a rendered conversation.
 *
 * <p>A template with {@code {% generation %}} blocks says it itself. For others, the conversation
 * up to an answer is rendered with the generation prompt: the answer begins where that ends, and
 * goes on through the first token that ends a generation.
 */
final class AnswerFinder {
  /** Private-use characters, which no chat has and no template changes. */
  private static final String PLACEHOLDER = "\ue0ff\ue0fe\ue0ff";

  private final ChatTemplate template;
  private final Set<String> endTokens;

  /**
   * Creates it for one template.
   *
   * @param endTokens the texts of the tokens that end a generation
   */
  AnswerFinder(ChatTemplate template, Set<String> endTokens) {
    this.template = template;
    this.endTokens = endTokens;
  }

  /**
   * The answers in their order.
   *
   * @param rendering the whole conversation, rendered without a generation prompt
   */
  List<AnswerSpan> find(List<Message> messages, Rendering rendering) {
    if (messages.stream().noneMatch(Message::isAssistant)) {
      return List.of();
    }
    return template.marksGeneration() ? marked(rendering) : rendered(messages, rendering.text());
  }

  private List<AnswerSpan> marked(Rendering rendering) {
    List<AnswerSpan> answers = new ArrayList<>();
    for (Rendering.Span span : rendering.generated()) {
      if (!span.exact()) {
        throw new PanatuneException(
            "the chat template has a generation block inside a macro or a captured block, so that"
                + " its place in the text is not known; move it out");
      }
      int end = withoutSpaceAfterEnd(rendering.text(), span);
      if (end > span.start()) {
        answers.add(new AnswerSpan(span.start(), end));
      }
    }
    return answers;
  }

  /** The newline that a template puts after the end of a turn is not the assistant's to write. */
  private int withoutSpaceAfterEnd(String text, Rendering.Span span) {
    String stripped = text.substring(span.start(), span.end()).stripTrailing();
    return endTokens.stream().anyMatch(stripped::endsWith)
        ? span.start() + stripped.length()
        : span.end();
  }

  private List<AnswerSpan> rendered(List<Message> messages, String text) {
    List<AnswerSpan> answers = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < messages.size(); i++) {
      if (messages.get(i).isAssistant()) {
        AnswerSpan answer = answer(messages, i, text, from);
        answers.add(answer);
        from = answer.end();
      }
    }
    return answers;
  }

  private AnswerSpan answer(List<Message> messages, int index, String text, int from) {
    int start = start(messages, index, text);
    if (start < from) {
      throw failure(index, "renders it before the end of an earlier answer");
    }
    int contentEnd = contentEnd(messages.get(index).content(), text, start);
    if (contentEnd < 0) {
      throw failure(index, "does not render its text as it is");
    }
    AnswerSpan end =
        nextEnd(text, contentEnd)
            .filter(token -> text.substring(contentEnd, token.start()).isBlank())
            .orElseThrow(
                () -> failure(index, "does not put a token that ends a generation after it"));
    return new AnswerSpan(start, end.end());
  }

  /**
   * Where the model begins to write: after the generation prompt, else where the content begins.
   */
  private int start(List<Message> messages, int index, String text) {
    Optional<String> prompt = prompt(messages.subList(0, index));
    if (prompt.isPresent() && text.startsWith(prompt.get())) {
      return prompt.get().length();
    }
    List<Message> replaced = new ArrayList<>(messages);
    replaced.set(index, new Message(messages.get(index).role(), PLACEHOLDER));
    String other = template.render(replaced, false);
    int start = other.indexOf(PLACEHOLDER);
    if (start < 0 || !text.startsWith(other.substring(0, start))) {
      throw failure(index, "renders what stands before it in another way when it is another text");
    }
    return start;
  }

  private Optional<String> prompt(List<Message> before) {
    if (before.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(template.render(before, true));
    } catch (PanatuneException e) {
      // A template may refuse a conversation that stops here and still render the whole one.
      return Optional.empty();
    }
  }

  /**
   * Where the content ends that begins at or after start, in the same turn; -1 if there is none.
   */
  private int contentEnd(String content, String text, int start) {
    int turnEnd = nextEnd(text, start).map(AnswerSpan::start).orElse(text.length());
    for (String written : List.of(content, content.strip())) {
      int at = text.indexOf(written, start);
      if (at >= 0 && at <= turnEnd) {
        return at + written.length();
      }
    }
    return -1;
  }

  /** The first token at or after a place that ends a generation; of two at one place the longer. */
  private Optional<AnswerSpan> nextEnd(String text, int from) {
    return endTokens.stream()
        .filter(token -> text.indexOf(token, from) >= 0)
        .map(token -> spanOf(token, text.indexOf(token, from)))
        .min(
            Comparator.comparingInt(AnswerSpan::start)
                .thenComparing(Comparator.comparingInt(AnswerSpan::end).reversed()));
  }

  private static AnswerSpan spanOf(String token, int start) {
    return new AnswerSpan(start, start + token.length());
  }

  private static PanatuneException failure(int index, String what) {
    return new PanatuneException(
        "which tokens the assistant says in message "
            + index
            + " cannot be found: the chat template "
            + what
            + "; give the model a chat template that marks the answers with {% generation %}");
  }
}
