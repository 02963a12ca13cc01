package dev.panatune.model;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * The attention of a decoder's layers.
 *
 * @param queryHeads a multiple of {@code keyValueHeads}
 * @param keyValueHeads heads of keys and values
 * @param headDim width of a head
 * @param layout how queries, keys and values are projected
 * @param inputBias whether the projections to queries, keys and values have biases
 * @param outputBias whether the projection after the heads has a bias
 * @param norm of queries and keys
 * @param scale what products of queries and keys are multiplied by
 * @param scaledByDepth whether {@code scale} is divided by the layer's number, from 1 on
 * @param softCap bounds the scaled products; empty for no bound
 * @param windows for each layer, how many tokens a query sees; empty for all before it
 */
public record AttentionConfig(
    int queryHeads,
    int keyValueHeads,
    int headDim,
    Layout layout,
    boolean inputBias,
    boolean outputBias,
    Norm norm,
    double scale,
    boolean scaledByDepth,
    OptionalDouble softCap,
    List<OptionalInt> windows) {

  /** How queries, keys and values are projected. */
  public enum Layout {
    /** By a layer each. */
    SEPARATE,
    /** By one layer: all heads' queries, then their keys, then their values. */
    JOINED,
    /** By one layer: for each head its query, key and value. */
    INTERLEAVED
  }

  /** Norms of queries and keys. */
  public enum Norm {
    /** There are none. */
    NONE,
    /** Over each head, with one weight [headDim] for all of them. */
    PER_HEAD,
    /** Over all heads together. */
    ALL_HEADS
  }

  /** Copies the list. */
  public AttentionConfig {
    windows = List.copyOf(windows);
  }

  /** Returns what a layer's products of queries and keys are multiplied by. */
  double scaleOf(int layer) {
    return scaledByDepth ? scale / (layer + 1) : scale;
  }
}
