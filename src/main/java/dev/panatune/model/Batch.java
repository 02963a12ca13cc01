package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Rows of tokens, padded at the right, and the targets among them. The caller closes it.
 *
 * @param ids int64 [B, T]
 * @param targetRows int64 [N]: {@code b * (V + T) + V + t} of each position that predicts a target,
 *     where V virtual tokens come before the text
 * @param targets int64 [N]: the token, or the class, that the position should predict
 * @param tokens the number of tokens without padding
 * @param targetTokens N
 * @param packing where the texts lie; empty where each row is one text
 */
public record Batch(
    Tensor ids,
    Tensor targetRows,
    Tensor targets,
    int tokens,
    int targetTokens,
    Optional<PackedTexts> packing)
    implements AutoCloseable {

  /** The label of a token that is not a target. */
  public static final int IGNORED = -100;

  /**
   * Lays rows out as a batch. Labels are aligned with ids, as in transformers: the position before
   * a label predicts it, so a first token is never a target.
   *
   * @param ids the token ids of each row
   * @param labels for each token its own id, or {@link #IGNORED}
   * @param padId what rows are filled up with; any valid id
   * @throws ConfigurationException if there is no row, no target, or a row and its labels differ in
   *     length
   */
  public static Batch of(List<int[]> ids, List<int[]> labels, int padId) {
    return of(ids, labels, padId, 0);
  }

  /**
   * The same for a model that has virtual tokens before the text: the last of them predicts the
   * first token, which can so be a target.
   *
   * @param leading the number of virtual tokens; 0 for none
   */
  public static Batch of(List<int[]> ids, List<int[]> labels, int padId, int leading) {
    return of(ids, labels, padId, leading, 1);
  }

  /**
   * The same for a classifier, whose labels are of the positions that they stand at.
   *
   * @param labels at one position of each row its class, else {@link #IGNORED}
   */
  public static Batch ofClasses(List<int[]> ids, List<int[]> labels, int padId, int leading) {
    return of(ids, labels, padId, leading, 0);
  }

  /**
   * The same for rows of several texts, none of which sees another.
   *
   * @param labels {@link #IGNORED} at least at each text's first token
   * @param starts for each row where its texts begin, ascending; 0 first
   */
  public static Batch ofPacked(List<int[]> ids, List<int[]> labels, List<int[]> starts, int padId) {
    Batch rows = of(ids, labels, padId);
    int[] lengths = ids.stream().mapToInt(row -> row.length).toArray();
    PackedTexts packing = PackedTexts.of(starts, lengths, (int) rows.ids.size(1));
    return new Batch(
        rows.ids,
        rows.targetRows,
        rows.targets,
        rows.tokens,
        rows.targetTokens,
        Optional.of(packing));
  }

  /** Lays out rows whose labels are predicted so many positions earlier. */
  private static Batch of(
      List<int[]> ids, List<int[]> labels, int padId, int leading, int earlier) {
    int width = ids.stream().mapToInt(row -> row.length).max().orElse(0);
    if (ids.size() != labels.size() || width == 0) {
      throw new ConfigurationException(
          "A batch needs as many rows of labels as of ids, and a token: %d of ids, %d of labels"
              .formatted(ids.size(), labels.size()));
    }
    long[] flat = new long[ids.size() * width];
    long[] rows = new long[flat.length];
    long[] targets = new long[flat.length];
    int tokens = 0;
    int count = 0;
    for (int b = 0; b < ids.size(); b++) {
      int[] row = ids.get(b);
      int[] rowLabels = labels.get(b);
      if (row.length != rowLabels.length) {
        throw new ConfigurationException(
            "Row %d has %d ids and %d labels".formatted(b, row.length, rowLabels.length));
      }
      tokens += row.length;
      for (int t = 0; t < width; t++) {
        flat[b * width + t] = t < row.length ? row[t] : padId;
        if (leading + t >= earlier && t < row.length && rowLabels[t] != IGNORED) {
          rows[count] = (long) b * (leading + width) + leading + t - earlier;
          targets[count++] = rowLabels[t];
        }
      }
    }
    if (count == 0) {
      throw new ConfigurationException("No token of the batch is a target");
    }
    return new Batch(
        Tensor.ofLongs(flat, ids.size(), width).keep(),
        Tensor.ofLongs(Arrays.copyOf(rows, count), count).keep(),
        Tensor.ofLongs(Arrays.copyOf(targets, count), count).keep(),
        tokens,
        count,
        Optional.empty());
  }

  /** Frees the tensors. */
  @Override
  public void close() {
    ids.close();
    targetRows.close();
    targets.close();
    packing.ifPresent(PackedTexts::close);
  }
}
