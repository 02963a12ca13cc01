package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** What an attention layer attends over besides its input: keys and values from before it. */
public interface PastKeyValues {
  /**
   * Puts the keys and values of T new tokens behind those from before, and returns all S.
   *
   * @param keys [B, keyValueHeads, T, headDim]
   * @param values [B, keyValueHeads, T, headDim]
   */
  KvCache.Contents append(Tensor keys, Tensor values);

  /**
   * The same keys and values before every row, of which gradients are taken.
   *
   * @param keys [keyValueHeads, V, headDim]
   * @param values [keyValueHeads, V, headDim]
   */
  record Prefix(Tensor keys, Tensor values) implements PastKeyValues {
    @Override
    public KvCache.Contents append(Tensor newKeys, Tensor newValues) {
      return new KvCache.Contents(
          Tensor.cat(2, likeRowsOf(newKeys, keys), newKeys),
          Tensor.cat(2, likeRowsOf(newValues, values), newValues));
    }

    private static Tensor likeRowsOf(Tensor rows, Tensor prefix) {
      return prefix.to(rows.dtype()).unsqueeze(0).expand(rows.size(0), -1, -1, -1);
    }
  }
}
