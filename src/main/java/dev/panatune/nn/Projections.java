package dev.panatune.nn;

import dev.panatune.nn.Module.Slot;
import dev.panatune.tensor.Tensor;

/** How an attention's input becomes queries, keys and values. */
sealed interface Projections {
  /**
   * The input's queries, keys and values.
   *
   * @param queries [B, T, queryHeads, headDim]
   * @param keys [B, T, keyValueHeads, headDim]
   * @param values [B, T, keyValueHeads, headDim]
   */
  record Projected(Tensor queries, Tensor keys, Tensor values) {}

  /** Projects [B, T, hidden]. */
  Projected project(Tensor input);

  /** Splits [B, T, heads * headDim] into heads. */
  private static Tensor heads(Tensor projected, long headDim) {
    return projected.reshape(projected.size(0), projected.size(1), -1, headDim);
  }

  /** Each by a layer of its own. */
  record Separate(
      Slot<LinearLayer> query, Slot<LinearLayer> key, Slot<LinearLayer> value, int headDim)
      implements Projections {
    @Override
    public Projected project(Tensor input) {
      Tensor[] all = JointLinear.forwardAll(input, query.get(), key.get(), value.get());
      return new Projected(heads(all[0], headDim), heads(all[1], headDim), heads(all[2], headDim));
    }
  }

  /** All by one layer, whose output is all heads' queries, then their keys, then their values. */
  record Joined(Slot<LinearLayer> layer, Attention.Heads shape) implements Projections {
    @Override
    public Projected project(Tensor input) {
      Tensor all = heads(layer.get().forward(input), shape.headDim());
      int queries = shape.queryHeads();
      int others = shape.keyValueHeads();
      return new Projected(
          all.narrow(2, 0, queries),
          all.narrow(2, queries, others),
          all.narrow(2, queries + others, others));
    }
  }

  /** All by one layer, whose output is for each head its query, key and value. */
  record Interleaved(Slot<LinearLayer> layer, int headDim) implements Projections {
    @Override
    public Projected project(Tensor input) {
      Tensor[] parts = heads(layer.get().forward(input), 3L * headDim).chunk(3, -1);
      return new Projected(parts[0], parts[1], parts[2]);
    }
  }
}
