package dev.panatune.text;

import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import dev.panatune.text.jinja.JinjaException;
import dev.panatune.text.jinja.Limits;
import dev.panatune.text.jinja.Rendering;
import dev.panatune.text.jinja.Template;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Renders conversations as the text that a model was trained on, equal to transformers' {@code
 * apply_chat_template}. Immutable; any number of threads may use it.
 */
public final class ChatTemplate {
  /**
   * What a model without a template gets: the layout that instruction tuning began with, with the
   * end-of-text token after every answer.
   */
  private static final String DEFAULT =
      """
      {{- bos_token | default('', true) }}
      {%- for message in messages %}
          {%- if message['role'] == 'assistant' %}
              {{- '### Response:\\n' }}
              {%- generation %}
                  {{- message['content'] + eos_token }}
              {%- endgeneration %}
              {{- '\\n\\n' }}
          {%- elif message['role'] == 'system' %}
              {{- message['content'] + '\\n\\n' }}
          {%- else %}
              {{- '### Instruction:\\n' + message['content'] + '\\n\\n' }}
          {%- endif %}
      {%- endfor %}
      {%- if add_generation_prompt %}
          {{- '### Response:\\n' }}
      {%- endif %}
      """;

  private static final List<String> REASONING_FIELDS =
      List.of("reasoning_content", "thinking", "reasoning");

  private final String source;
  private final Template template;
  private final Map<String, Object> specialTokens;
  private final Limits limits;
  private final Clock clock;

  private ChatTemplate(
      String source,
      Template template,
      Map<String, Object> specialTokens,
      Limits limits,
      Clock clock) {
    this.source = source;
    this.template = template;
    this.specialTokens = specialTokens;
    this.limits = limits;
    this.clock = clock;
  }

  /**
   * Parses a template.
   *
   * @param jinja its source
   * @param specialTokens variables that it always sees, such as {@code bos_token}
   * @throws FormatException when it is not valid, with the line
   */
  public static ChatTemplate of(String jinja, Map<String, ?> specialTokens) {
    try {
      return new ChatTemplate(
          jinja,
          Template.parse(jinja),
          new HashMap<>(specialTokens),
          Limits.DEFAULT,
          Clock.systemDefaultZone());
    } catch (JinjaException e) {
      throw new FormatException("the chat template is not valid: " + e.getMessage(), e);
    }
  }

  /**
   * The template that a model without one gets: {@code ### Instruction:} and {@code ### Response:}.
   */
  public static ChatTemplate defaultTemplate(Map<String, ?> specialTokens) {
    if (specialTokens.get("eos_token") == null) {
      throw new FormatException(
          "the tokenizer has neither a chat template nor an eos_token; add one of them to"
              + " tokenizer_config.json");
    }
    return of(DEFAULT, specialTokens);
  }

  /** The same template with other bounds and another clock for {@code strftime_now}. */
  public ChatTemplate with(Limits newLimits, Clock newClock) {
    return new ChatTemplate(source, template, specialTokens, newLimits, newClock);
  }

  /** The template's source. */
  public String source() {
    return source;
  }

  /** Whether it marks what the assistant says with {@code {% generation %}} blocks. */
  public boolean marksGeneration() {
    return template.marksGeneration();
  }

  /**
   * Renders messages.
   *
   * @throws PanatuneException as {@link #render(Conversation)}
   */
  public String render(List<Message> messages, boolean addGenerationPrompt) {
    return render(Conversation.of(messages, addGenerationPrompt)).text();
  }

  /**
   * Renders a conversation.
   *
   * @return the text, with the places of its generation blocks
   * @throws PanatuneException when the template refuses the conversation, fails on it, or goes past
   *     its bounds; the message holds what the template said
   */
  public Rendering render(Conversation conversation) {
    if (conversation.messages().isEmpty()) {
      throw new PanatuneException(
          "a chat template needs at least one message, and the conversation is empty");
    }
    Map<String, Object> variables = new HashMap<>(specialTokens);
    variables.putAll(conversation.variables());
    variables.put("messages", messages(conversation));
    variables.put("tools", conversation.tools());
    variables.put("documents", conversation.documents());
    variables.put("add_generation_prompt", conversation.addGenerationPrompt());
    try {
      return template.render(variables, limits, clock);
    } catch (JinjaException e) {
      String problem =
          e.kind() == JinjaException.Kind.RAISED
              ? "the chat template refuses this conversation: " + e.reason()
              : "the chat template fails on this conversation: " + e.getMessage();
      throw new PanatuneException(problem, e);
    }
  }

  /** The messages as transformers hands them on: without nulls, reasoning under all its names. */
  private static List<Map<String, Object>> messages(Conversation conversation) {
    List<Map<String, Object>> messages = new ArrayList<>();
    for (Map<String, Object> given : conversation.messages()) {
      Map<String, Object> message = new LinkedHashMap<>(given);
      message.values().removeIf(Objects::isNull);
      REASONING_FIELDS.stream()
          .filter(message::containsKey)
          .findFirst()
          .map(message::get)
          .ifPresent(reasoning -> {
            message.putIfAbsent("thinking", reasoning);
            message.put("reasoning_content", reasoning);
          });
      messages.add(message);
    }
    return messages;
  }
}
