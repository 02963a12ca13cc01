package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Locale;

/** How a fresh LoRA adapter's tensors are made: PEFT's {@code init_lora_weights}. */
public sealed interface LoraInit {
  /** A uniform within ±1/sqrt(in), B zero (Kaiming with a = sqrt 5): the default. */
  LoraInit DEFAULT = Kind.KAIMING;

  /** The ways that have no setting of their own. */
  enum Kind implements LoraInit {
    /** {@code true}: A uniform within ±1/sqrt(in), B zero. */
    KAIMING(true),
    /**
     * {@code false}: B uniform within ±1/sqrt(r) too, so that the adapter changes the model from
     * the start; for tests.
     */
    RANDOM(false),
    /** A normal with a standard deviation of 1/r, B zero. */
    GAUSSIAN("gaussian"),
    /**
     * A and B in orthogonal halves of the rank's space, so that their product is zero but neither
     * is; the rank must be even. https://datta0.github.io/posts/rethink-lora-init/
     */
    ORTHOGONAL("orthogonal"),
    /**
     * The r largest singular values and their vectors, which are taken out of the base weight: Meng
     * et al., 2024, arXiv:2404.02948.
     */
    PISSA("pissa"),
    /**
     * The first r columns and rows of the base weight's QR decomposition, which are taken out of
     * it: Büyükakyüz, 2024, arXiv:2406.01775.
     */
    OLORA("olora");

    private final Object json;

    Kind(Object json) {
      this.json = json;
    }

    @Override
    public Object toJson() {
      return json;
    }

    @Override
    public boolean changesBase() {
      return this == PISSA || this == OLORA;
    }
  }

  /**
   * {@link Kind#PISSA} from a randomised decomposition, which is much faster on wide layers.
   *
   * @param iterations subspace iterations, at least one: more are nearer to the exact one
   */
  record PissaIterations(int iterations) implements LoraInit {
    private static final String PREFIX = "pissa_niter_";

    /**
     * @throws ConfigurationException if there is no iteration
     */
    public PissaIterations {
      if (iterations < 1) {
        throw new ConfigurationException(
            "init_lora_weights: " + PREFIX + "N needs N of at least 1, not " + iterations);
      }
    }

    @Override
    public Object toJson() {
      return PREFIX + iterations;
    }

    @Override
    public boolean changesBase() {
      return true;
    }
  }

  /** The value in {@code adapter_config.json}. */
  Object toJson();

  /** Whether what the adapter starts with is taken out of the base layer's weight. */
  boolean changesBase();

  /**
   * Reads PEFT's value.
   *
   * @throws ConfigurationException if it is none that is supported
   */
  static LoraInit parse(Object value) {
    if (value == null) {
      return DEFAULT;
    }
    Object known = value instanceof String text ? text.toLowerCase(Locale.ROOT) : value;
    for (Kind kind : Kind.values()) {
      if (kind.json.equals(known)) {
        return kind;
      }
    }
    if (known instanceof String text && text.matches(PissaIterations.PREFIX + "\\d{1,4}")) {
      return new PissaIterations(Integer.parseInt(text.substring(PissaIterations.PREFIX.length())));
    }
    throw new ConfigurationException(
        "init_lora_weights: %s is not supported; supported are true, false, gaussian, orthogonal,"
                .formatted(value)
            + " pissa, pissa_niter_N and olora");
  }
}
