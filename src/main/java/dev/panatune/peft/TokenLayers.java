package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * Puts trained tokens' embeddings into a model, by PEFT's rules for {@code
 * trainable_token_indices}.
 */
final class TokenLayers {
  private final CausalLM model;
  private final AdapterState state;
  private final SequencedMap<String, OriginalModules.Place> places;
  private final SequencedMap<String, MergeableLayer> added = new LinkedHashMap<>();

  private TokenLayers(CausalLM model, AdapterState state) {
    this.model = model;
    this.state = state;
    places = OriginalModules.of(model);
  }

  /**
   * Wraps the layers that have a row for each token.
   *
   * @return the wrapped ones by path
   * @throws ConfigurationException if a name fits no such layer, or a token is beyond the
   *     vocabulary
   */
  static SequencedMap<String, MergeableLayer> add(
      CausalLM model, TrainableTokens tokens, AdapterState state) {
    return tokens.isEmpty() ? new LinkedHashMap<>() : new TokenLayers(model, state).addAll(tokens);
  }

  private SequencedMap<String, MergeableLayer> addAll(TrainableTokens tokens) {
    String table = model.config().embeddingName();
    String head = model.config().headName();
    SequencedMap<String, List<Integer>> wanted = new LinkedHashMap<>();
    tokens
        .indices()
        .forEach((name, ids) -> pathsOf(name, table).forEach(path -> wanted.put(path, ids)));
    List<Integer> ofTable = wanted.get(table);
    // A head that is tied follows its embeddings, unless it was given tokens of its own.
    boolean follows =
        model.config().tiedHead()
            && ofTable != null
            && wanted.getOrDefault(head, ofTable).equals(ofTable);
    if (follows) {
      wanted.remove(head);
    }
    wanted.forEach(this::wrap);
    if (follows) {
      Tensor delta = ((TokenEmbedding) added.get(table)).delta();
      put(head, new TokenHead((LinearLayer) places.get(head).outer(), state, ofTable, delta, true));
    }
    return added;
  }

  private List<String> pathsOf(String name, String table) {
    if (name.isEmpty()) {
      return List.of(table);
    }
    List<String> paths = places.keySet().stream().filter(path -> path.endsWith(name)).toList();
    if (paths.isEmpty()) {
      throw new ConfigurationException(
          "trainable_token_indices: the model has no module "
              + name
              + "; its embeddings are "
              + table);
    }
    return paths;
  }

  private void wrap(String path, List<Integer> ids) {
    OriginalModules.Place place = places.get(path);
    if (place.outer() instanceof LoraLinear || place.outer() instanceof LoraEmbedding) {
      throw new ConfigurationException(
          "trainable_token_indices: " + path + " is in target_modules too; only one can be");
    }
    switch (place.inner()) {
      case Embedding embedding -> {
        checkIds(path, embedding.weight(), ids);
        put(path, new TokenEmbedding((UnaryLayer) place.outer(), state, embedding.weight(), ids));
      }
      case Linear head -> {
        checkIds(path, head.weight(), ids);
        Tensor delta = TokenHead.start(head.weight(), ids);
        put(path, new TokenHead((LinearLayer) place.outer(), state, ids, delta, false));
      }
      default ->
          throw new ConfigurationException(
              "trainable_token_indices: %s is a %s, which has no row for each token"
                  .formatted(path, place.inner().getClass().getSimpleName()));
    }
  }

  private static void checkIds(String path, Tensor weight, List<Integer> ids) {
    for (int id : ids) {
      if (id >= weight.size(0)) {
        throw new ConfigurationException(
            "trainable_token_indices: %s has %d rows, and no token %d"
                .formatted(path, weight.size(0), id));
      }
    }
  }

  private void put(String path, MergeableLayer layer) {
    model.replaceChild(path, (Module) layer);
    added.put(path, layer);
  }
}
