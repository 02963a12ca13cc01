package dev.panatune.nn;

import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * How queries are compared with keys, and which keys each query sees.
 *
 * @param scale what the products are multiplied by
 * @param softCap bounds the scaled products: {@code cap * tanh(score / cap)}; empty for no bound
 * @param window how many tokens a query sees, itself among them; empty for all before it
 */
public record AttentionScores(double scale, OptionalDouble softCap, OptionalInt window) {
  /** Query rows that are computed together where the fused operator cannot be used. */
  private static final long BLOCK_ROWS = 512;

  /** Returns scores that are only scaled, over all earlier tokens. */
  public static AttentionScores scaled(double scale) {
    return new AttentionScores(scale, OptionalDouble.empty(), OptionalInt.empty());
  }

  /**
   * Returns the values, weighted by the softmax of the scores; fp32 inside. Query row i of T is the
   * text's position S - T + i.
   *
   * @param query [B, heads, T, D]
   * @param key [B, keyValueHeads, S, D], S at least T
   * @param value [B, keyValueHeads, S, D]
   * @param firstKeys int64 [B, T]: the first key that each query row sees, for texts that share
   *     rows, S being T; null where each row is one text
   * @param dropout of the weights; while it is active, the fused operator, which has none, is not
   *     used
   * @return [B, heads, T, D] in the query's dtype
   */
  Tensor attend(Tensor query, Tensor key, Tensor value, Tensor firstKeys, Dropout dropout) {
    long rows = query.size(2);
    long seen = Math.min(key.size(2), window.orElse(Integer.MAX_VALUE) + rows - 1);
    Tensor keys = key.narrow(2, key.size(2) - seen, seen);
    Tensor values = value.narrow(2, key.size(2) - seen, seen);
    if (dropout.isActive()) {
      return inBlocks(query, keys, values, firstKeys, dropout);
    }
    int bound = window.isPresent() && seen > window.getAsInt() ? window.getAsInt() : 0;
    return Kernels.causalAttention(query, keys, values, scale, firstKeys, bound, softCap.orElse(0));
  }

  private Tensor inBlocks(
      Tensor query, Tensor key, Tensor value, Tensor firstKeys, Dropout dropout) {
    long rows = query.size(2);
    long before = key.size(2) - rows;
    Tensor[] blocks = new Tensor[(int) ((rows + BLOCK_ROWS - 1) / BLOCK_ROWS)];
    try (TensorScope scope = TensorScope.open();
        Autocast _ = Autocast.disable(query.device().kind())) {
      for (int i = 0; i < blocks.length; i++) {
        long first = i * BLOCK_ROWS;
        long count = Math.min(BLOCK_ROWS, rows - first);
        long end = before + first + count;
        long start = Math.max(0, before + first + 1 - window.orElse(Integer.MAX_VALUE));
        blocks[i] =
            block(
                query.narrow(2, first, count),
                key.narrow(2, start, end - start),
                value.narrow(2, start, end - start),
                firstKeys == null ? null : firstKeys.narrow(1, first, count).sub(start),
                dropout);
      }
      return scope.moveToOuter(blocks.length == 1 ? blocks[0] : Tensor.cat(2, blocks));
    }
  }

  private Tensor block(Tensor query, Tensor key, Tensor value, Tensor firstKeys, Dropout dropout) {
    long batch = query.size(0);
    long heads = query.size(1);
    long rows = query.size(2);
    long depth = query.size(3);
    long groups = key.size(1);
    try (TensorScope scope = TensorScope.open()) {
      // The heads that share keys lie next to each other: one product for all of them.
      Tensor grouped =
          query.to(DType.FLOAT32).mul(scale).reshape(batch, groups, heads / groups * rows, depth);
      Tensor scores = grouped.matmul(key.to(DType.FLOAT32).transpose(2, 3));
      if (softCap.isPresent()) {
        scores = scores.div(softCap.getAsDouble()).tanh().mul(softCap.getAsDouble());
      }
      Tensor softmax =
          scores
              .view(batch, heads, rows, key.size(2))
              .maskedFill(hidden(rows, key.size(2), firstKeys, query), Double.NEGATIVE_INFINITY)
              .softmax(-1);
      Tensor weights =
          dropout.apply(softmax).view(batch, groups, heads / groups * rows, key.size(2));
      Tensor attended = weights.matmul(value.to(DType.FLOAT32));
      return scope.moveToOuter(attended.view(batch, heads, rows, depth).to(query.dtype()));
    }
  }

  /**
   * Returns which of the keys the rows must not see, bool [rows, keys] or [B, 1, rows, keys]; the
   * last row is at the last key.
   */
  private Tensor hidden(long rows, long keys, Tensor firstKeys, Tensor like) {
    try (var _ = GradMode.disable();
        TensorScope scope = TensorScope.open()) {
      Tensor positions = Tensor.arange(0, keys, DType.INT64);
      Tensor distance = Tensor.arange(keys - rows, keys, DType.INT64).unsqueeze(-1).sub(positions);
      Tensor seen = distance.ge(0);
      if (window.isPresent()) {
        seen = seen.logicalAnd(distance.lt(window.getAsInt()));
      }
      if (firstKeys != null) {
        Tensor inText = positions.to(like.device()).sub(firstKeys.unsqueeze(-1)).ge(0);
        seen = seen.to(like.device()).unsqueeze(0).logicalAnd(inText).unsqueeze(1);
      }
      return scope.moveToOuter(seen.logicalNot().to(like.device()));
    }
  }
}
