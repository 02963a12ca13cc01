package dev.panatune.data;

import java.util.List;

/**
 * A data set as tokens.
 *
 * @param examples every one has a token to learn, in the rows' order
 * @param report what was cut and dropped
 */
public record EncodedDataset(List<Example> examples, EncodingReport report) {
  public EncodedDataset {
    examples = List.copyOf(examples);
  }
}
