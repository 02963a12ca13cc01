package dev.panatune.data;

import dev.panatune.model.Batch;
import java.util.Arrays;

/**
 * A row as tokens.
 *
 * @param ids token ids, at least one
 * @param labels per position the id that the model learns there, or {@link #IGNORED}; the token at
 *     position i is predicted from those before it, so the first label never counts
 * @param classified whether the one label is the class of the whole text, at the position that a
 *     classifier reads it off
 */
public record Example(int[] ids, int[] labels, boolean classified) {
  /** The label of a position that is not learnt. */
  public static final int IGNORED = Batch.IGNORED;

  public Example {
    if (ids.length == 0 || ids.length != labels.length) {
      throw new IllegalArgumentException(
          "an example needs as many labels as ids and at least one, not %d ids and %d labels"
              .formatted(ids.length, labels.length));
    }
  }

  /** A row of a language model. */
  public Example(int[] ids, int[] labels) {
    this(ids, labels, false);
  }

  /** A text and its class, which the model tells at {@code position}. */
  public static Example ofClass(int[] ids, int position, int category) {
    int[] labels = new int[ids.length];
    Arrays.fill(labels, IGNORED);
    labels[position] = category;
    return new Example(ids, labels, true);
  }

  /** The number of tokens. */
  public int length() {
    return ids.length;
  }

  /** The number of tokens that are predicted and learnt. */
  public int targetTokens() {
    return targetTokens(0);
  }

  /**
   * The number of tokens that are predicted and learnt by a model with virtual tokens before the
   * text, which predict the first token too.
   *
   * @param leading the number of virtual tokens; 0 for none
   */
  public int targetTokens(int leading) {
    int count = 0;
    for (int i = leading > 0 || classified ? 0 : 1; i < labels.length; i++) {
      if (labels[i] != IGNORED) {
        count++;
      }
    }
    return count;
  }

  /**
   * The example cut at the right to at most {@code length} tokens; itself where it is no longer.
   */
  Example truncated(int length) {
    return ids.length <= length
        ? this
        : new Example(Arrays.copyOf(ids, length), Arrays.copyOf(labels, length));
  }
}
