package dev.panatune.data;

import dev.panatune.model.Batch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Puts examples together to batches. */
public final class Batching {
  /** Rows are filled up with it; attention is causal, so no token ever sees it. */
  private static final int PADDING = 0;

  private Batching() {}

  /** One batch of these examples, padded at the right to the longest. The caller closes it. */
  public static Batch batch(List<Example> examples) {
    return batch(examples, 0);
  }

  /**
   * The same for a model that has virtual tokens before the text.
   *
   * @param leading their number; 0 for none
   */
  public static Batch batch(List<Example> examples, int leading) {
    List<int[]> ids = examples.stream().map(Example::ids).toList();
    List<int[]> labels = examples.stream().map(Example::labels).toList();
    if (examples.stream().anyMatch(example -> example.texts() > 1)) {
      return Batch.ofPacked(ids, labels, examples.stream().map(Example::starts).toList(), PADDING);
    }
    return examples.stream().allMatch(Example::classified)
        ? Batch.ofClasses(ids, labels, PADDING, leading)
        : Batch.of(ids, labels, PADDING, leading);
  }

  /**
   * Parts examples so that those of about the same length come together, the longest first: least
   * padding, and what does not fit into memory shows at once.
   */
  public static List<List<Example>> byLength(List<Example> examples, int batchSize) {
    List<Example> sorted =
        examples.stream().sorted(Comparator.comparingInt(Example::length).reversed()).toList();
    List<List<Example>> batches = new ArrayList<>();
    for (int start = 0; start < sorted.size(); start += batchSize) {
      batches.add(sorted.subList(start, Math.min(start + batchSize, sorted.size())));
    }
    return batches;
  }
}
