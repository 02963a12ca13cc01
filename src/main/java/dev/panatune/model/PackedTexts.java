package dev.panatune.model;

import dev.panatune.tensor.Tensor;
import java.util.List;

/**
 * Where the texts lie that share the rows of a batch: none sees another, and each begins at
 * position 0. The caller closes it.
 *
 * @param positions int64 [B, T]: each token's position in its own text
 * @param firstKeys int64 [B, T]: where in its row each token's text begins
 * @param longest the number of tokens of the longest text
 */
public record PackedTexts(Tensor positions, Tensor firstKeys, int longest)
    implements AutoCloseable {
  /**
   * Lays out rows of several texts. What a row is filled up with counts as a text of its own.
   *
   * @param starts for each row where its texts begin, ascending; 0 first
   * @param lengths for each row its number of tokens
   * @param width T
   */
  static PackedTexts of(List<int[]> starts, int[] lengths, int width) {
    long[] positions = new long[starts.size() * width];
    long[] firstKeys = new long[positions.length];
    int longest = 0;
    for (int b = 0; b < lengths.length; b++) {
      int[] ofRow = starts.get(b);
      int row = b * width;
      for (int i = 0; i < ofRow.length; i++) {
        int end = i + 1 < ofRow.length ? ofRow[i + 1] : lengths[b];
        longest = Math.max(longest, end - ofRow[i]);
        for (int t = ofRow[i]; t < end; t++) {
          positions[row + t] = t - ofRow[i];
          firstKeys[row + t] = ofRow[i];
        }
      }
      for (int t = lengths[b]; t < width; t++) {
        firstKeys[row + t] = lengths[b];
      }
    }
    return new PackedTexts(
        Tensor.ofLongs(positions, starts.size(), width).keep(),
        Tensor.ofLongs(firstKeys, starts.size(), width).keep(),
        longest);
  }

  /** Frees the tensors. */
  @Override
  public void close() {
    positions.close();
    firstKeys.close();
  }
}
