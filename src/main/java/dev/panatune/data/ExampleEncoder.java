package dev.panatune.data;

import dev.panatune.data.Row.ChatRow;
import dev.panatune.data.Row.InstructionRow;
import dev.panatune.data.Row.LabelledRow;
import dev.panatune.data.Row.PromptCompletionRow;
import dev.panatune.data.Row.TextRow;
import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import dev.panatune.text.ChatEncoder;
import dev.panatune.text.EncodedChat;
import dev.panatune.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * Turns rows into tokens and what of them is learnt.
 *
 * <p>Instruction and chat rows go through the model's chat template; what the assistant says is
 * learnt, with the token that ends it. Of prompt-completion rows the completion is learnt, with the
 * tokenizer's end token; of text rows everything. What is longer than the maximum is cut at the
 * right; what then has nothing to learn is left out. Both are counted.
 */
public final class ExampleEncoder {
  private final ChatEncoder encoder;
  private final int maxLength;

  private ExampleEncoder(ChatEncoder encoder, int maxLength) {
    this.encoder = encoder;
    this.maxLength = maxLength;
  }

  /**
   * An encoder for the model that a tokenizer belongs to.
   *
   * @param maxLength the most tokens of an example, at least 2
   */
  public static ExampleEncoder of(Tokenizer tokenizer, int maxLength) {
    return new ExampleEncoder(ChatEncoder.of(tokenizer), maxLength);
  }

  /**
   * Encodes a data set.
   *
   * @param name what messages call it
   * @throws FormatException if there are no rows, a row does not go through the chat template, or
   *     no row has anything to learn left
   */
  public EncodedDataset encode(String name, List<Row> rows) {
    if (rows.isEmpty()) {
      throw new FormatException(name + " is empty: there are no rows to learn from");
    }
    List<Example> examples = new ArrayList<>();
    int truncated = 0;
    int longest = 0;
    long tokens = 0;
    long targetTokens = 0;
    for (int i = 0; i < rows.size(); i++) {
      Example whole = encode(name, i, rows.get(i));
      Example example = whole.truncated(maxLength);
      longest = Math.max(longest, whole.length());
      truncated += whole.length() > maxLength ? 1 : 0;
      if (example.targetTokens() > 0) {
        examples.add(example);
        tokens += example.length();
        targetTokens += example.targetTokens();
      }
    }
    int dropped = rows.size() - examples.size();
    EncodingReport report =
        new EncodingReport(
            rows.size(), truncated, dropped, tokens, targetTokens, longest, maxLength);
    if (examples.isEmpty()) {
      throw new FormatException(
          "%s: none of the %d rows has a token to learn within max_length %d (the longest has %d"
                  .formatted(name, rows.size(), maxLength, longest)
              + " tokens); raise max_length");
    }
    return new EncodedDataset(examples, report);
  }

  private Example encode(String name, int index, Row row) {
    try {
      EncodedChat encoded =
          switch (row) {
            case InstructionRow instruction -> encoder.encode(instruction.messages());
            case ChatRow chat -> encoder.encode(chat.messages());
            case PromptCompletionRow(String prompt, String completion) ->
                encoder.encodeCompletion(prompt, completion);
            case TextRow(String text) -> encoder.encodePlain(text);
            case LabelledRow _ ->
                throw new FormatException(
                    "rows of texts and labels are for a classifier, and the model is a language"
                        + " model");
          };
      int[] labels = encoded.ids().clone();
      for (int i = 0; i < labels.length; i++) {
        if (!encoded.target()[i]) {
          labels[i] = Example.IGNORED;
        }
      }
      return new Example(encoded.ids(), labels);
    } catch (PanatuneException e) {
      throw new FormatException("%s, row %d: %s".formatted(name, index + 1, e.getMessage()), e);
    }
  }
}
