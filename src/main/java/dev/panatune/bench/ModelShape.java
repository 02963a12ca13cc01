package dev.panatune.bench;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.RandomCheckpoint;
import dev.panatune.natives.PanatuneHome;
import dev.panatune.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Sizes of well-known Llama-like models; their weights are random. */
public enum ModelShape {
  /** So small that a step shows what surrounds the computing. */
  TINY("tiny", 64, 2, 4, 2, 128, 256, true, 10_000),
  /** SmolLM2-135M. */
  SMOL_135M("135m", 576, 30, 9, 3, 1_536, 49_152, true, 100_000),
  /** SmolLM2-360M. */
  SMOL_360M("360m", 960, 32, 15, 5, 2_560, 49_152, true, 100_000),
  /** SmolLM2-1.7B. */
  SMOL_1_7B("1.7b", 2_048, 24, 32, 32, 8_192, 49_152, true, 130_000),
  /** Llama-2-7B. */
  LLAMA_7B("7b", 4_096, 32, 32, 32, 11_008, 32_000, false, 10_000);

  private static final long SEED = 42;
  private static final int CONTEXT = 32_768;

  private final String id;
  private final int hidden;
  private final int layers;
  private final int heads;
  private final int keyValueHeads;
  private final int intermediate;
  private final int vocabulary;
  private final boolean tied;
  private final double theta;

  ModelShape(
      String id,
      int hidden,
      int layers,
      int heads,
      int keyValueHeads,
      int intermediate,
      int vocabulary,
      boolean tied,
      double theta) {
    this.id = id;
    this.hidden = hidden;
    this.layers = layers;
    this.heads = heads;
    this.keyValueHeads = keyValueHeads;
    this.intermediate = intermediate;
    this.vocabulary = vocabulary;
    this.tied = tied;
    this.theta = theta;
  }

  /**
   * Returns the shape of a name such as {@code 135m}.
   *
   * @throws ConfigurationException if there is none
   */
  public static ModelShape of(String id) {
    List<String> known = Arrays.stream(values()).map(ModelShape::id).toList();
    return Arrays.stream(values())
        .filter(shape -> shape.id.equals(id))
        .findFirst()
        .orElseThrow(() ->
            new ConfigurationException(
                "there is no shape '%s'; it is one of %s".formatted(id, known)));
  }

  /** Returns its name on the command line. */
  public String id() {
    return id;
  }

  /** Returns its {@code config.json}. */
  Map<String, Object> config() {
    return Map.ofEntries(
        Map.entry("model_type", "llama"),
        Map.entry("hidden_size", hidden),
        Map.entry("num_hidden_layers", layers),
        Map.entry("num_attention_heads", heads),
        Map.entry("num_key_value_heads", keyValueHeads),
        Map.entry("head_dim", hidden / heads),
        Map.entry("intermediate_size", intermediate),
        Map.entry("vocab_size", vocabulary),
        Map.entry("tie_word_embeddings", tied),
        Map.entry("rope_theta", theta),
        Map.entry("rms_norm_eps", 1e-5),
        Map.entry("hidden_act", "silu"),
        Map.entry("initializer_range", 0.02),
        Map.entry("max_position_embeddings", CONTEXT));
  }

  /**
   * Returns a Hugging Face directory of this shape with random bf16 weights, in Panatune's cache;
   * the first time it is written.
   */
  public Path directory() {
    return directory(PanatuneHome.path().resolve("bench"));
  }

  Path directory(Path cache) {
    Path directory = cache.resolve("random-" + id);
    if (!Files.isDirectory(directory)) {
      RandomCheckpoint.write(config(), directory, SEED, DType.BFLOAT16);
    }
    return directory;
  }
}
