package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.Dropout;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.Module;
import dev.panatune.nn.ModuleList;
import dev.panatune.nn.RopeConfig;
import dev.panatune.nn.RotaryEmbedding;
import dev.panatune.nn.RotaryTables;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Everything below the head: the module {@code model} of a causal language model. */
final class Decoder extends Module {
  private final ModelConfig config;
  private final Device device;
  private final Slot<UnaryLayer> embedding;
  private final Optional<Slot<UnaryLayer>> learnedPositions;
  private final ModuleList<DecoderLayer> layers;
  private final Slot<UnaryLayer> norm;
  private final List<RotaryEmbedding> rotary = new ArrayList<>();
  private final Dropout dropout;

  Decoder(ModelConfig config, ParameterSource source) {
    this.config = config;
    device = source.device();
    dropout = new Dropout(config.dropouts().embedding());
    ModuleNames names = config.family().names();
    String path = names.decoder() + ".";
    embedding =
        addChild(
            names.embedding(),
            UnaryLayer.class,
            new Embedding(
                source.parameter(
                    names.embeddingPath() + ".weight", config.vocabSize(), config.hiddenSize()),
                config.multipliers().table()));
    learnedPositions =
        names
            .positions()
            .map(name -> addChild(name, UnaryLayer.class, positions(path + name, source)));
    List<DecoderLayer> built = new ArrayList<>();
    for (int i = 0; i < config.layerCount(); i++) {
      built.add(new DecoderLayer(config, i, path + names.layers() + "." + i, source));
    }
    layers = new ModuleList<>(DecoderLayer.class, built);
    addChild(names.layers(), ModuleList.class, layers);
    norm =
        addChild(
            names.norm(),
            UnaryLayer.class,
            source.norm(path + names.norm(), config.hiddenSize(), config.norm()));
    for (RopeConfig rope : config.positions().ropes()) {
      rotary.add(new RotaryEmbedding(rope, config.positions().rotated(), device));
    }
  }

  private UnaryLayer positions(String path, ParameterSource source) {
    return new Embedding(
        source.parameter(path + ".weight", config.maxPositions(), config.hiddenSize()));
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

  /**
   * Returns what layers need to know of the positions {@code start} to {@code start + length - 1}.
   */
  Positions positions(long start, long length) {
    List<RotaryTables> tables = rotary.stream().map(one -> one.tables(start, length)).toList();
    return new Positions(
        tables, learnedPositions.map(slot -> learned(slot, start, length)), Optional.empty());
  }

  /** Returns the same of texts that share rows; kinds that scale by length go by the longest. */
  Positions positions(PackedTexts texts) {
    Tensor places = texts.positions().to(device);
    List<RotaryTables> tables =
        rotary.stream().map(one -> one.tables(0, texts.longest()).at(places)).toList();
    if (learnedPositions.isPresent()) {
      requireTable(texts.longest());
    }
    return new Positions(
        tables,
        learnedPositions.map(slot -> slot.get().forward(places)),
        Optional.of(texts.firstKeys().to(device)));
  }

  private Tensor learned(Slot<UnaryLayer> slot, long start, long length) {
    requireTable(start + length);
    return slot.get().forward(Tensor.arange(start, start + length, DType.INT64).to(device));
  }

  private void requireTable(long length) {
    if (length > config.maxPositions()) {
      throw new ConfigurationException(
          "The text has %d tokens; the model has a table of %d positions, and none beyond"
              .formatted(length, config.maxPositions()));
    }
  }

  /** Makes token embeddings [B, T, hidden] what the first layer takes. */
  Tensor enter(Tensor embeddings, Positions positions) {
    double multiplier = config.multipliers().embedding();
    Tensor scaled = multiplier == 1 ? embeddings : embeddings.mul(multiplier);
    return dropout.apply(positions.learned().map(scaled::add).orElse(scaled));
  }

  /** Sets whether the model is trained, or used. */
  void setTraining(boolean training) {
    dropout.setTraining(training);
    layers.elements().forEach(layer -> layer.setTraining(training));
  }

  @Override
  public void close() {
    super.close();
    rotary.forEach(RotaryEmbedding::close);
  }
}
