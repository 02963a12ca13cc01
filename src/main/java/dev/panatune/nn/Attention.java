package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** Causal self-attention with grouped keys and values, from [B, T, hidden] to [B, T, hidden]. */
public final class Attention extends Module {
  /**
   * The heads of an attention.
   *
   * @param queryHeads a multiple of {@code keyValueHeads}
   * @param headDim the size of a head
   * @param scale what the scores are multiplied by
   */
  public record Heads(int queryHeads, int keyValueHeads, int headDim, double scale) {}

  private final Heads heads;
  private final Slot<LinearLayer> query;
  private final Slot<LinearLayer> key;
  private final Slot<LinearLayer> value;
  private final Slot<LinearLayer> output;

  /** Creates it over four layers of which it becomes the parent. */
  public Attention(
      Heads heads, LinearLayer query, LinearLayer key, LinearLayer value, LinearLayer output) {
    this.heads = heads;
    this.query = addChild("q_proj", LinearLayer.class, query);
    this.key = addChild("k_proj", LinearLayer.class, key);
    this.value = addChild("v_proj", LinearLayer.class, value);
    this.output = addChild("o_proj", LinearLayer.class, output);
  }

  /**
   * Attends over the input, and over what the cache holds.
   *
   * @param input [B, T, hidden]
   * @param positions the tables of the T positions
   * @param cache takes this input's keys and values, and gives the earlier ones; null for none
   */
  public Tensor forward(Tensor input, RotaryTables positions, KvCache.Layer cache) {
    Tensor queries = positions.rotate(split(query.get().forward(input), heads.queryHeads()));
    Tensor keys = positions.rotate(split(key.get().forward(input), heads.keyValueHeads()));
    Tensor values = split(value.get().forward(input), heads.keyValueHeads());
    if (cache != null) {
      KvCache.Contents contents = cache.append(keys, values);
      keys = contents.keys();
      values = contents.values();
    }
    Tensor attended = Kernels.causalAttention(queries, keys, values, heads.scale());
    long width = (long) heads.queryHeads() * heads.headDim();
    return output.get().forward(attended.transpose(1, 2).reshape(input.size(0), -1, width));
  }

  private Tensor split(Tensor projected, int count) {
    return projected
        .reshape(projected.size(0), projected.size(1), count, heads.headDim())
        .transpose(1, 2);
  }
}
