package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.RopeConfig;

/** Reads a model's rotary embedding from the fields that transformers has had for it over time. */
final class RopeFields {
  private static final double DEFAULT_THETA = 10_000;

  private RopeFields() {}

  /**
   * Reads {@code rope_parameters} (transformers 5), or {@code rope_scaling} with {@code rope_theta}
   * beside it (before).
   *
   * @throws ConfigurationException if the kind is not supported; the message names it
   */
  static RopeConfig read(ConfigFields config) {
    String key = config.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
    ConfigFields rope = config.object(key);
    double theta = rope.number("rope_theta", config.number("rope_theta", DEFAULT_THETA));
    String kind = rope.string("rope_type", rope.string("type", "default"));
    double partial =
        rope.number("partial_rotary_factor", config.number("partial_rotary_factor", 1));
    if (partial != 1) {
      throw new ConfigurationException(
          "partial_rotary_factor %s is not supported yet, only 1".formatted(partial));
    }
    return switch (kind) {
      case "default" -> new RopeConfig.Standard(theta);
      case "linear" -> new RopeConfig.Linear(theta, rope.number("factor"));
      case "llama3" ->
          new RopeConfig.Llama3(
              theta,
              rope.number("factor"),
              rope.number("low_freq_factor"),
              rope.number("high_freq_factor"),
              rope.number(
                  "original_max_position_embeddings", config.number("max_position_embeddings", 0)));
      default ->
          throw new ConfigurationException(
              "The rope_type %s is not supported; supported are default, linear, llama3"
                  .formatted(kind));
    };
  }
}
