package dev.panatune.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;

/** Which layers of a decoder see only the last tokens, and how many. */
final class LayerWindows {
  private static final String WINDOW = "sliding_window";
  private static final String USED = "use_sliding_window";
  private static final String TYPES = "layer_types";
  private static final String SLIDING = "sliding_attention";
  private static final String FULL = "full_attention";
  private static final int GEMMA3_PATTERN = 6;

  private final ModelFamily family;
  private final ConfigFields config;
  private final int layerCount;

  LayerWindows(ModelFamily family, ConfigFields config, int layerCount) {
    this.family = family;
    this.config = config;
    this.layerCount = layerCount;
  }

  /** Returns each layer's window; empty where it sees all earlier tokens. */
  List<OptionalInt> read() {
    boolean unused = isQwen() && !config.flag(USED, false);
    OptionalInt window = unused ? OptionalInt.empty() : config.optionalPositive(WINDOW);
    return slidingLayers().stream()
        .map(sliding -> {
          if (sliding && window.isEmpty()) {
            throw config.error(WINDOW, "a layer has sliding attention, so it must be a number");
          }
          return sliding ? window : OptionalInt.empty();
        })
        .toList();
  }

  /** Returns for each layer whether its attention is a sliding one. */
  List<Boolean> slidingLayers() {
    return switch (family) {
      case MISTRAL, PHI3 -> Collections.nCopies(layerCount, config.has(WINDOW));
      case QWEN2, QWEN3, SMOLLM3, GEMMA2, GEMMA3 -> statedTypes();
      case LLAMA, GRANITE, OLMO2, GPT2, GPT_NEOX -> Collections.nCopies(layerCount, false);
    };
  }

  private boolean isQwen() {
    return family == ModelFamily.QWEN2 || family == ModelFamily.QWEN3;
  }

  private List<Boolean> statedTypes() {
    List<?> types = config.list(TYPES).orElse(null);
    if (types == null) {
      List<Boolean> usual = new ArrayList<>();
      for (int i = 0; i < layerCount; i++) {
        usual.add(usuallySlides(i));
      }
      return usual;
    }
    if (types.size() != layerCount || !List.of(FULL, SLIDING).containsAll(types)) {
      throw config.error(
          TYPES,
          "expected %s or %s for each of the %d layers".formatted(FULL, SLIDING, layerCount));
    }
    return types.stream().map(SLIDING::equals).toList();
  }

  private boolean usuallySlides(int layer) {
    boolean used = config.flag(USED, false) && config.has(WINDOW);
    return switch (family) {
      case QWEN2, QWEN3 -> used && layer >= config.whole("max_window_layers");
      case SMOLLM3 -> used && !RopeLayers.hasRope(config, layer);
      case GEMMA2 -> (layer + 1) % 2 != 0;
      case GEMMA3 -> (layer + 1) % config.positive("sliding_window_pattern", GEMMA3_PATTERN) != 0;
      default -> false;
    };
  }
}
