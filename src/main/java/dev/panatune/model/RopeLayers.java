package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.RopeConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.IntFunction;

/** Reads how a decoder knows the order of its tokens, layer by layer. */
final class RopeLayers {
  private static final String NO_ROPE = "no_rope_layers";
  private static final int SMOLLM3_INTERVAL = 4;

  private final ModelFamily family;
  private final ConfigFields config;
  private final int layerCount;
  private final int headDim;

  RopeLayers(ModelFamily family, ConfigFields config, int layerCount, int headDim) {
    this.family = family;
    this.config = config;
    this.layerCount = layerCount;
    this.headDim = headDim;
  }

  /**
   * Reads the fields.
   *
   * @throws ConfigurationException if an option is not supported; the message names it
   */
  PositionConfig read() {
    int maxPositions = config.positive("max_position_embeddings");
    if (family.names().positions().isPresent()) {
      List<OptionalInt> none = layers(layer -> OptionalInt.empty());
      return new PositionConfig(maxPositions, true, 0, List.of(), none);
    }
    return family == ModelFamily.GEMMA3 ? perLayerType(maxPositions) : same(maxPositions);
  }

  /** One rotary embedding, for all layers or for some. */
  private PositionConfig same(int maxPositions) {
    RopeFields fields = RopeFields.of(config);
    if (fields.rope().has("full_attention") || fields.rope().has("sliding_attention")) {
      throw new ConfigurationException(
          "config.json: rope_parameters differ by layer type, which %s models do not support"
              .formatted(family.modelType()));
    }
    double partial = fields.partialFactor();
    if (partial != 1 && family != ModelFamily.PHI3 && family != ModelFamily.GPT_NEOX) {
      throw new ConfigurationException(
          "config.json: partial_rotary_factor is %s; %s models rotate whole heads"
              .formatted(partial, family.modelType()));
    }
    int rotated = (int) (headDim * partial);
    if (partial != 1 && (rotated < 2 || rotated % 2 != 0 || rotated > headDim)) {
      throw new ConfigurationException(
          ("config.json: partial_rotary_factor %s of a head_dim of %d is %d; it must be even, for"
                  + " the pairs that are rotated")
              .formatted(partial, headDim, rotated));
    }
    return new PositionConfig(
        maxPositions,
        false,
        rotated,
        List.of(fields.read(family, rotated)),
        layers(layer -> hasRope(layer) ? OptionalInt.of(0) : OptionalInt.empty()));
  }

  /** Gemma 3: one for layers that see all, another for those with a window. */
  private PositionConfig perLayerType(int maxPositions) {
    ConfigFields stated = config.object("rope_parameters");
    ConfigFields full = stated.object("full_attention");
    if (config.has("rope_scaling")) {
      full = config.object("rope_scaling");
    }
    RopeConfig global =
        new RopeFields(config, full, config.number("rope_theta")).read(family, headDim);
    RopeConfig local =
        new RopeFields(
                config, stated.object("sliding_attention"), config.number("rope_local_base_freq"))
            .read(family, headDim);
    List<Boolean> sliding = new LayerWindows(family, config, layerCount).slidingLayers();
    return new PositionConfig(
        maxPositions,
        false,
        headDim,
        List.of(global, local),
        layers(layer -> OptionalInt.of(sliding.get(layer) ? 1 : 0)));
  }

  private boolean hasRope(int layer) {
    return family != ModelFamily.SMOLLM3 || hasRope(config, layer);
  }

  /** Returns whether a layer of SmolLM3 is rotated. */
  static boolean hasRope(ConfigFields config, int layer) {
    return config
        .list(NO_ROPE)
        .map(flags -> {
          if (layer >= flags.size()) {
            throw config.error(NO_ROPE, "expected an entry for each layer");
          }
          return !Integer.valueOf(0).equals(flags.get(layer));
        })
        .orElseGet(
            () -> (layer + 1) % config.positive("no_rope_layer_interval", SMOLLM3_INTERVAL) != 0);
  }

  private List<OptionalInt> layers(IntFunction<OptionalInt> ropeOf) {
    List<OptionalInt> all = new ArrayList<>();
    for (int i = 0; i < layerCount; i++) {
      all.add(ropeOf.apply(i));
    }
    return all;
  }
}
