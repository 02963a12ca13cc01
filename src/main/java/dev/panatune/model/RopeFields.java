package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.RopeConfig;
import java.util.List;

/**
 * Reads one rotary embedding from the fields that transformers has had for it over time.
 *
 * @param config the model's fields
 * @param rope the fields of this rotary embedding
 * @param theta the base where {@code rope} says none
 */
record RopeFields(ConfigFields config, ConfigFields rope, double theta) {
  private static final String ORIGINAL = "original_max_position_embeddings";
  private static final String FACTOR = "factor";

  /**
   * Reads {@code rope_parameters} (transformers 5), or {@code rope_scaling} with {@code rope_theta}
   * beside it (before).
   */
  static RopeFields of(ConfigFields config) {
    String key = config.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
    return new RopeFields(config, config.object(key), config.number("rope_theta"));
  }

  /** Returns what part of a head is rotated. */
  double partialFactor() {
    return rope.number("partial_rotary_factor", config.number("partial_rotary_factor", 1));
  }

  /**
   * Returns the rotary embedding.
   *
   * @param rotated how many elements of a head are rotated
   * @throws ConfigurationException if the kind is not supported; the message names it
   */
  RopeConfig read(ModelFamily family, int rotated) {
    double base = rope.number("rope_theta", theta);
    String kind = rope.string("rope_type", rope.string("type", "default"));
    if (family == ModelFamily.PHI3 && (kind.equals("su") || kind.equals("yarn"))) {
      kind = "longrope";
    }
    return switch (kind) {
      case "default" -> new RopeConfig.Standard(base);
      case "linear" -> new RopeConfig.Linear(base, rope.number(FACTOR));
      case "dynamic" -> dynamic(base, rotated);
      case "llama3" ->
          new RopeConfig.Llama3(
              base,
              rope.number(FACTOR),
              rope.number("low_freq_factor"),
              rope.number("high_freq_factor"),
              originalPositions());
      case "yarn" -> yarn(base);
      case "longrope" -> longRope(base, rotated);
      default ->
          throw new ConfigurationException(
              ("The rope_type %s is not supported; supported are default, linear, dynamic, llama3,"
                      + " yarn, longrope")
                  .formatted(kind));
    };
  }

  private RopeConfig dynamic(double base, int rotated) {
    if (rotated < 4) {
      throw rope.error("rope_type", "it needs at least 4 rotated elements of a head");
    }
    return new RopeConfig.Dynamic(base, rope.number(FACTOR), maxPositions());
  }

  private RopeConfig yarn(double base) {
    double factor = rope.number(FACTOR, (double) maxPositions() / originalPositions());
    double attention = magnitude(factor, 1);
    double scale = rope.number("mscale", 0);
    double scaleOfAll = rope.number("mscale_all_dim", 0);
    if (scale != 0 && scaleOfAll != 0) {
      attention = magnitude(factor, scale) / magnitude(factor, scaleOfAll);
    }
    return new RopeConfig.Yarn(
        base,
        factor,
        rope.number("attention_factor", attention),
        orDefault(rope.number("beta_fast", 0), 32),
        orDefault(rope.number("beta_slow", 0), 1),
        originalPositions(),
        rope.flag("truncate", true));
  }

  private static double magnitude(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
  }

  private static double orDefault(double stated, double fallback) {
    return stated == 0 ? fallback : stated;
  }

  private RopeConfig longRope(double base, int rotated) {
    double original = originalPositions();
    double factor = rope.number(FACTOR, maxPositions() / original);
    double attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
    return new RopeConfig.LongRope(
        base,
        factors("short_factor", rotated),
        factors("long_factor", rotated),
        rope.number("attention_factor", attention),
        originalPositions());
  }

  private List<Double> factors(String key, int rotated) {
    List<Double> factors = rope.numbers(key);
    if (factors.size() != rotated / 2) {
      throw new ConfigurationException(
          "config.json: %s has %d numbers; %d elements of a head are rotated, which takes %d"
              .formatted(key, factors.size(), rotated, rotated / 2));
    }
    return factors;
  }

  private int maxPositions() {
    return config.positive("max_position_embeddings");
  }

  /** A field of the model goes before one of the rotary embedding, as in transformers. */
  private int originalPositions() {
    return config.positive(ORIGINAL, rope.positive(ORIGINAL, maxPositions()));
  }
}
