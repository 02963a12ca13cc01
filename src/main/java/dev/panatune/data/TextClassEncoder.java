package dev.panatune.data;

import dev.panatune.data.Row.LabelledRow;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.error.Suggestion;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ClassifierConfig;
import dev.panatune.text.LongestFirst;
import dev.panatune.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * Turns texts, or pairs of texts, and their labels into tokens and classes. They have the
 * tokenizer's own special tokens; what is longer than the maximum is cut as transformers cuts it,
 * and counted.
 */
public final class TextClassEncoder {
  private final Tokenizer tokenizer;
  private final ClassifierConfig classifier;
  private final int maxLength;

  private TextClassEncoder(Tokenizer tokenizer, ClassifierConfig classifier, int maxLength) {
    this.tokenizer = tokenizer;
    this.classifier = classifier;
    this.maxLength = maxLength;
  }

  /**
   * An encoder for a classifier of texts that have one class each.
   *
   * @param maxLength the most tokens of an example
   * @throws ConfigurationException if the model is a language model, or its numbers are not classes
   *     of which one is right
   */
  public static TextClassEncoder of(CausalLM model, Tokenizer tokenizer, int maxLength) {
    ClassifierConfig classifier =
        model
            .config()
            .classifier()
            .orElseThrow(() ->
                new ConfigurationException("the model is a language model, not a classifier"));
    if (classifier.problem() != ClassifierConfig.Problem.SINGLE_LABEL) {
      throw new ConfigurationException(
          "config.json: problem_type %s of %d labels is not supported here; rows have one class"
                  .formatted(classifier.problem().id(), classifier.labels())
              + " each, which is single_label_classification of at least two classes");
    }
    return new TextClassEncoder(tokenizer, classifier, maxLength);
  }

  /**
   * Encodes a data set.
   *
   * @param name what messages call it
   * @param rows each with a text and a label
   * @throws FormatException if there are no rows, one has no label, or a class that the model has
   *     not
   */
  public EncodedDataset encode(String name, List<Row> rows) {
    if (rows.isEmpty()) {
      throw new FormatException(name + " is empty: there are no rows to learn from");
    }
    List<Example> examples = new ArrayList<>();
    int truncated = 0;
    int longest = 0;
    long tokens = 0;
    for (int i = 0; i < rows.size(); i++) {
      if (!(rows.get(i) instanceof LabelledRow row)) {
        throw new FormatException("%s, row %d has no label".formatted(name, i + 1));
      }
      LongestFirst encoded = LongestFirst.encode(tokenizer, row.text(), row.pair(), maxLength);
      int[] ids = encoded.ids();
      if (ids.length == 0) {
        throw new FormatException("%s, row %d has no token".formatted(name, i + 1));
      }
      examples.add(
          Example.ofClass(ids, classifier.position(ids), category(name + ", row " + (i + 1), row)));
      longest = Math.max(longest, encoded.whole());
      truncated += encoded.whole() > maxLength ? 1 : 0;
      tokens += ids.length;
    }
    return new EncodedDataset(
        examples,
        new EncodingReport(
            rows.size(), truncated, 0, tokens, rows.size(), longest, maxLength, true));
  }

  private int category(String where, LabelledRow row) {
    List<String> names = classifier.names();
    int found = names.indexOf(row.label());
    if (row.numbered() && found < 0 && row.label().matches("\\d{1,9}")) {
      int number = Integer.parseInt(row.label());
      found = number < names.size() ? number : -1;
    }
    if (found < 0) {
      throw new FormatException(
          "%s: there is no class %s%s; the model has %s"
              .formatted(
                  where,
                  row.numbered() ? row.label() : "'" + row.label() + "'",
                  Suggestion.nearest(row.label(), names)
                      .map(" (did you mean %s?)"::formatted)
                      .orElse(""),
                  String.join(", ", names)));
    }
    return found;
  }
}
