package dev.panatune.model;

import dev.panatune.nn.KvCache;
import dev.panatune.nn.PastKeyValues;
import dev.panatune.tensor.Tensor;

/** The virtual tokens that a model runs with now, or none. */
record FrontOfText(VirtualTokens tokens) {
  static final FrontOfText NOTHING = new FrontOfText(null);

  /** How many positions of the hidden states come before those of the text. */
  int leading() {
    return tokens instanceof VirtualTokens.Prompt ? tokens.count() : 0;
  }

  /** At which position the hidden states begin. */
  int start() {
    return tokens instanceof VirtualTokens.Prefix ? tokens.count() : 0;
  }

  /** Puts a prompt in front of the embeddings [B, T, hidden] of a text's beginning. */
  Tensor before(Tensor embeddings) {
    if (!(tokens instanceof VirtualTokens.Prompt prompt)) {
      return embeddings;
    }
    Tensor front = prompt.embeddings().to(embeddings.dtype()).unsqueeze(0);
    return Tensor.cat(1, front.expand(embeddings.size(0), -1, -1), embeddings);
  }

  /** The keys and values of a prefix; null where there is none. */
  Tensor keysAndValues() {
    return tokens instanceof VirtualTokens.Prefix prefix ? prefix.keysAndValues() : null;
  }

  /**
   * What a layer attends over at a text's beginning.
   *
   * @param prefix the layer's keys and values [2, keyValueHeads, V, headDim], or null
   * @param cache takes them too, or null
   */
  static PastKeyValues past(Tensor prefix, KvCache.Layer cache) {
    if (prefix == null) {
      return cache;
    }
    PastKeyValues front = new PastKeyValues.Prefix(prefix.select(0, 0), prefix.select(0, 1));
    if (cache == null) {
      return front;
    }
    return (keys, values) -> {
      KvCache.Contents all = front.append(keys, values);
      return cache.append(all.keys(), all.values());
    };
  }

  /** One layer's keys and values of all layers'; null of null. */
  static Tensor ofLayer(Tensor prefix, int layer) {
    return prefix == null ? null : prefix.narrow(0, 2L * layer, 2);
  }
}
