package dev.panatune.data;

import dev.panatune.text.Message;
import java.util.List;
import java.util.Optional;

/** A row of a data set as it was read, before any template or tokenizer. */
public sealed interface Row {

  /**
   * A task and its answer.
   *
   * @param instruction what to do
   * @param input what to do it with; empty where the task needs nothing
   * @param output the answer that the model learns
   */
  record InstructionRow(String instruction, String input, String output) implements Row {
    /** The row as a conversation: instruction, blank line, input; then the answer. */
    public List<Message> messages() {
      String question = input.isEmpty() ? instruction : instruction + "\n\n" + input;
      return List.of(new Message("user", question), new Message("assistant", output));
    }
  }

  /**
   * A conversation; the model learns every assistant message.
   *
   * @param messages in order; at least one is the assistant's
   */
  record ChatRow(List<Message> messages) implements Row {
    public ChatRow {
      messages = List.copyOf(messages);
    }
  }

  /**
   * Text and what follows it, without a chat template.
   *
   * @param prompt the given text
   * @param completion what the model learns to write after it
   */
  record PromptCompletionRow(String prompt, String completion) implements Row {}

  /**
   * Plain text, every token of which is learnt.
   *
   * @param text not empty
   */
  record TextRow(String text) implements Row {}

  /**
   * A text and what it is, for a classifier.
   *
   * @param text not empty
   * @param pair a second text that the class is of as well, as a hypothesis is to a premise
   * @param label the name of its class, or its number as digits
   * @param numbered whether the label is a number
   */
  record LabelledRow(String text, Optional<String> pair, String label, boolean numbered)
      implements Row {}
}
