package dev.panatune.model;

import dev.panatune.nn.Embedding;
import dev.panatune.nn.Module;
import dev.panatune.nn.ModuleList;
import dev.panatune.nn.RmsNorm;
import dev.panatune.nn.RotaryEmbedding;
import dev.panatune.nn.UnaryLayer;
import java.util.ArrayList;
import java.util.List;

/** Everything below the head: the module {@code model} of a causal language model. */
final class Decoder extends Module {
  private final Slot<UnaryLayer> embedding;
  private final ModuleList<DecoderLayer> layers;
  private final Slot<UnaryLayer> norm;
  private final RotaryEmbedding rotary;

  Decoder(ModelConfig config, String path, ParameterSource source) {
    embedding =
        addChild(
            "embed_tokens",
            UnaryLayer.class,
            new Embedding(
                source.parameter(
                    path + ".embed_tokens.weight", config.vocabSize(), config.hiddenSize())));
    List<DecoderLayer> built = new ArrayList<>();
    for (int i = 0; i < config.layerCount(); i++) {
      built.add(new DecoderLayer(config, path + ".layers." + i, source));
    }
    layers = new ModuleList<>(DecoderLayer.class, built);
    addChild("layers", ModuleList.class, layers);
    norm =
        addChild(
            "norm",
            UnaryLayer.class,
            new RmsNorm(
                source.parameter(path + ".norm.weight", config.hiddenSize()),
                config.normEpsilon()));
    rotary = new RotaryEmbedding(config.rope(), config.headDim(), source.device());
    addChild("rotary_emb", RotaryEmbedding.class, rotary);
  }

  UnaryLayer embedding() {
    return embedding.get();
  }

  ModuleList<DecoderLayer> layers() {
    return layers;
  }

  UnaryLayer norm() {
    return norm.get();
  }

  RotaryEmbedding rotary() {
    return rotary;
  }
}
