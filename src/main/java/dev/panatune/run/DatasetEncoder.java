package dev.panatune.run;

import dev.panatune.data.EncodedDataset;
import dev.panatune.data.ExampleEncoder;
import dev.panatune.data.Row;
import dev.panatune.data.TextClassEncoder;
import dev.panatune.model.PretrainedModel;
import java.util.List;

/** Turns rows into what a model takes: tokens to predict, or texts and their classes. */
@FunctionalInterface
public interface DatasetEncoder {
  /**
   * Encodes a data set.
   *
   * @param name what messages call it
   */
  EncodedDataset encode(String name, List<Row> rows);

  /**
   * The encoder for a model, by whether it is a classifier.
   *
   * @param maxLength the most tokens of an example, at least 2
   */
  static DatasetEncoder of(PretrainedModel pretrained, int maxLength) {
    return pretrained.model().config().classifier().isPresent()
        ? TextClassEncoder.of(pretrained.model(), pretrained.tokenizer(), maxLength)::encode
        : ExampleEncoder.of(pretrained.tokenizer(), maxLength)::encode;
  }
}
