package dev.panatune.data;

import dev.panatune.error.ConfigurationException;
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

  /**
   * The same with the examples packed into rows of at most {@code maxLength} tokens, in which none
   * sees another: the longest example first, each to the fullest row that has room for it.
   *
   * @throws ConfigurationException if the examples are a classifier's
   */
  public EncodedDataset packed(int maxLength) {
    if (examples.stream().anyMatch(Example::classified)) {
      throw new ConfigurationException(
          "a classifier tells one class a row, so its texts cannot be packed; set packing: false");
    }
    return new EncodedDataset(Packing.pack(examples, maxLength), report);
  }
}
