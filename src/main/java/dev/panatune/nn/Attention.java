package dev.panatune.nn;

import dev.panatune.tensor.Tensor;
import java.util.Optional;

/** Causal self-attention with grouped keys and values, from [B, T, hidden] to [B, T, hidden]. */
public final class Attention extends Module {
  private final Heads heads;
  private final AttentionScores scores;
  private final Dropout dropout;
  private final Projections projections;
  private final Slot<LinearLayer> output;
  private final NormOfQueriesAndKeys norm;

  /**
   * The heads of an attention.
   *
   * @param queryHeads a multiple of {@code keyValueHeads}
   * @param headDim the size of a head
   */
  public record Heads(int queryHeads, int keyValueHeads, int headDim) {}

  /** The layers of an attention, under the names that they have in the Hugging Face model. */
  public sealed interface Layers {
    /**
     * Queries, keys and values by a layer each, with norms of queries and keys where there are any.
     */
    record Separate(
        LinearLayer query,
        LinearLayer key,
        LinearLayer value,
        LinearLayer output,
        Optional<Norms> norms)
        implements Layers {}

    /**
     * One layer for all heads' queries, then their keys, then their values; or, interleaved, for
     * each head its query, key and value.
     */
    record Joined(NamedLayer input, boolean interleaved, NamedLayer output) implements Layers {}
  }

  /**
   * Norms of queries and keys.
   *
   * @param perHead whether a norm is over a head, and not over all heads together
   */
  public record Norms(UnaryLayer query, UnaryLayer key, boolean perHead) {}

  /** The norms, where they sit in the tree. */
  private record NormOfQueriesAndKeys(
      Slot<UnaryLayer> query, Slot<UnaryLayer> key, boolean perHead) {

    Tensor queries(Tensor projected) {
      return apply(query.get(), projected);
    }

    Tensor keys(Tensor projected) {
      return apply(key.get(), projected);
    }

    private Tensor apply(UnaryLayer layer, Tensor projected) {
      if (perHead) {
        return layer.forward(projected);
      }
      long[] shape = projected.shape();
      return layer.forward(projected.reshape(shape[0], shape[1], -1)).reshape(shape);
    }
  }

  /** Creates it over layers of which it becomes the parent. */
  public Attention(Heads heads, AttentionScores scores, Layers layers) {
    this(heads, scores, layers, new Dropout(0));
  }

  /**
   * Creates it over layers of which it becomes the parent.
   *
   * @param dropout of the attention's weights
   */
  public Attention(Heads heads, AttentionScores scores, Layers layers, Dropout dropout) {
    this.heads = heads;
    this.scores = scores;
    this.dropout = dropout;
    switch (layers) {
      case Layers.Separate separate -> {
        projections =
            new Projections.Separate(
                addChild("q_proj", LinearLayer.class, separate.query()),
                addChild("k_proj", LinearLayer.class, separate.key()),
                addChild("v_proj", LinearLayer.class, separate.value()),
                heads.headDim());
        output = addChild("o_proj", LinearLayer.class, separate.output());
        norm = separate.norms().map(this::added).orElse(null);
      }
      case Layers.Joined joined -> {
        Slot<LinearLayer> input =
            addChild(joined.input().name(), LinearLayer.class, joined.input().layer());
        projections =
            joined.interleaved()
                ? new Projections.Interleaved(input, heads.headDim())
                : new Projections.Joined(input, heads);
        output = addChild(joined.output().name(), LinearLayer.class, joined.output().layer());
        norm = null;
      }
    }
  }

  /** Sets whether the model is trained, or used. */
  public void setTraining(boolean training) {
    dropout.setTraining(training);
  }

  /** Adds the norms of queries and keys, or that there are none, if they are by head. */
  boolean addNorms(DecodeParts parts) {
    if (norm == null) {
      return parts.norm(null) && parts.norm(null);
    }
    return norm.perHead() && parts.norm(norm.query().get()) && parts.norm(norm.key().get());
  }

  /** Adds the projections, if they are layers of their own and nothing is dropped. */
  boolean addProjections(DecodeParts parts) {
    return projections instanceof Projections.Separate separate
        && scores.softCap().isEmpty()
        && !dropout.isActive()
        && parts.linear(separate.query().get())
        && parts.linear(separate.key().get())
        && parts.linear(separate.value().get())
        && parts.linear(output.get());
  }

  AttentionScores scores() {
    return scores;
  }

  private NormOfQueriesAndKeys added(Norms norms) {
    return new NormOfQueriesAndKeys(
        addChild("q_norm", UnaryLayer.class, norms.query()),
        addChild("k_norm", UnaryLayer.class, norms.key()),
        norms.perHead());
  }

  /**
   * Attends over the input, and over what was before it.
   *
   * @param input [B, T, hidden]
   * @param rotary the tables of the T positions; null where nothing is rotated
   * @param firstKeys int64 [B, T]: the first token that each sees; null where each row is one text
   * @param past takes this input's keys and values, and gives the earlier ones; null for none
   */
  public Tensor forward(Tensor input, RotaryTables rotary, Tensor firstKeys, PastKeyValues past) {
    Projections.Projected projected = projections.project(input);
    Tensor queries = projected.queries();
    Tensor keys = projected.keys();
    if (norm != null) {
      queries = norm.queries(queries);
      keys = norm.keys(keys);
    }
    queries = queries.transpose(1, 2);
    keys = keys.transpose(1, 2);
    Tensor values = projected.values().transpose(1, 2);
    if (rotary != null) {
      queries = rotary.rotate(queries);
      keys = rotary.rotate(keys);
    }
    if (past != null) {
      KvCache.Contents contents = past.append(keys, values);
      keys = contents.keys();
      values = contents.values();
    }
    Tensor attended = scores.attend(queries, keys, values, firstKeys, dropout);
    long width = (long) heads.queryHeads() * heads.headDim();
    return output.get().forward(attended.transpose(1, 2).reshape(input.size(0), -1, width));
  }
}
