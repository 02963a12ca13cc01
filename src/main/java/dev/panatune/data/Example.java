package dev.panatune.data;

import dev.panatune.model.Batch;
import java.util.Arrays;
import java.util.List;

/**
 * A row as tokens: a text, or several that are packed into one row.
 *
 * @param ids token ids, at least one
 * @param labels per position the id that the model learns there, or {@link #IGNORED}; the token at
 *     position i is predicted from those before it, so the first label never counts
 * @param classified whether the one label is the class of the whole text, at the position that a
 *     classifier reads it off
 * @param starts where the row's texts begin, ascending, 0 first; none of them sees another, and a
 *     text's first label never counts
 */
public record Example(int[] ids, int[] labels, boolean classified, int[] starts) {
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
    this(ids, labels, false, new int[] {0});
  }

  /** A text and its class, which the model tells at {@code position}. */
  public static Example ofClass(int[] ids, int position, int category) {
    int[] labels = new int[ids.length];
    Arrays.fill(labels, IGNORED);
    labels[position] = category;
    return new Example(ids, labels, true, new int[] {0});
  }

  /** One row of texts of language models, one after the other. */
  static Example joined(List<Example> texts) {
    int length = texts.stream().mapToInt(Example::length).sum();
    int[] ids = new int[length];
    int[] labels = new int[length];
    int[] starts = new int[texts.size()];
    int start = 0;
    for (int i = 0; i < starts.length; i++) {
      Example text = texts.get(i);
      System.arraycopy(text.ids, 0, ids, start, text.length());
      System.arraycopy(text.labels, 0, labels, start, text.length());
      // Nothing before it predicts it, once it is not the row's first.
      labels[start] = IGNORED;
      starts[i] = start;
      start += text.length();
    }
    return new Example(ids, labels, false, starts);
  }

  /** The number of texts of the row. */
  public int texts() {
    return starts.length;
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
