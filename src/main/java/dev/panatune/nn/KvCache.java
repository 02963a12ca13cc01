package dev.panatune.nn;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;

/**
 * The keys and values of the tokens that a decoder has seen, so that it need not see them again.
 *
 * <p>Room for all positions is taken once, at the first tokens; from then on appending copies the
 * new tokens' keys and values into it and nothing else. The caller closes the cache.
 */
public final class KvCache implements AutoCloseable {
  private final long capacity;
  private final List<Layer> layers = new ArrayList<>();
  private long length;
  private Tensor history;

  /**
   * Creates an empty cache.
   *
   * @param layerCount the number of decoder layers
   * @param capacity the most positions it will hold
   */
  public KvCache(int layerCount, long capacity) {
    this.capacity = capacity;
    for (int i = 0; i < layerCount; i++) {
      layers.add(new Layer());
    }
  }

  /** Returns the number of positions that all layers hold. */
  public long length() {
    return length;
  }

  /** Returns one layer's part. */
  public Layer layer(int index) {
    return layers.get(index);
  }

  /** Counts the positions that every layer has just appended. */
  public void advance(long positions) {
    length += positions;
  }

  /**
   * Keeps the ids of the tokens that will be appended next, for a model that may have to run the
   * text again.
   *
   * @param ids int64 [B, T]
   * @return those of all tokens, the cache's own
   */
  public Tensor remember(Tensor ids) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor all = history == null ? ids.clone().keep() : Tensor.cat(1, history, ids).keep();
      forget();
      history = all;
      return all;
    }
  }

  /** Begins anew: all positions will be appended again. */
  public void restart() {
    length = 0;
  }

  private void forget() {
    if (history != null) {
      history.close();
    }
  }

  @Override
  public void close() {
    layers.forEach(Layer::close);
    forget();
  }

  /**
   * What a layer attends over: views into the cache.
   *
   * @param keys [B, keyValueHeads, S, headDim]
   * @param values [B, keyValueHeads, S, headDim]
   */
  public record Contents(Tensor keys, Tensor values) {}

  /** One layer's keys and values. */
  public final class Layer implements PastKeyValues {
    private Tensor keys;
    private Tensor values;

    private Layer() {}

    /** Whether nothing was appended yet: there is no room either. */
    boolean isEmpty() {
      return keys == null || length == 0;
    }

    /** The position that is appended next. */
    long position() {
      return length;
    }

    /**
     * The room for all positions [B, keyValueHeads, capacity, headDim], for an operator that writes
     * the next ones itself.
     */
    Contents room(long count) {
      requireRoom(count);
      return new Contents(keys, values);
    }

    private void requireRoom(long count) {
      if (length + count > capacity) {
        throw new ConfigurationException(
            "The key-value cache has room for %d positions; %d are in use and %d more were given"
                .formatted(capacity, length, count));
      }
    }

    @Override
    public Contents append(Tensor newKeys, Tensor newValues) {
      long count = newKeys.size(2);
      requireRoom(count);
      if (keys == null) {
        keys = empty(newKeys);
        values = empty(newValues);
      }
      keys.narrow(2, length, count).copy_(newKeys);
      values.narrow(2, length, count).copy_(newValues);
      return new Contents(keys.narrow(2, 0, length + count), values.narrow(2, 0, length + count));
    }

    private Tensor empty(Tensor like) {
      long[] shape = like.shape();
      shape[2] = capacity;
      return Tensor.empty(like.dtype(), shape).to(like.device()).keep();
    }

    private void close() {
      if (keys != null) {
        keys.close();
        values.close();
      }
    }
  }
}
