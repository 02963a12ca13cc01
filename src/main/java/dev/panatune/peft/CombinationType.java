package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How adapters are combined, by the names of PEFT's {@code combination_type}. */
public enum CombinationType {
  /** The factors are added up: a rough approximation of the sum; ranks must be equal. */
  LINEAR,
  /** The factors are put side by side: exact; the ranks add up. */
  CAT,
  /** The sum of the updates is decomposed, and its leading part kept. */
  SVD,
  /** Yadav et al., 2023, arXiv:2306.01708, of the factors. */
  TIES,
  /** The same of the updates, decomposed. */
  TIES_SVD,
  /** Yu et al., 2023, arXiv:2311.03099: random values of the factors are dropped. */
  DARE_LINEAR,
  /** The same of the updates, decomposed. */
  DARE_LINEAR_SVD,
  /** Random values of the factors are dropped, then as {@link #TIES}. */
  DARE_TIES,
  /** The same of the updates, decomposed. */
  DARE_TIES_SVD,
  /** The smallest values of the factors are dropped. */
  MAGNITUDE_PRUNE,
  /** The same of the updates, decomposed. */
  MAGNITUDE_PRUNE_SVD;

  /** PEFT's name. */
  public String peftName() {
    return name().toLowerCase(Locale.ROOT);
  }

  boolean decomposes() {
    return this == SVD || name().endsWith("_SVD");
  }

  /** Whether a share of the values is dropped. */
  boolean prunes() {
    return this != LINEAR && this != CAT && this != SVD;
  }

  /**
   * Reads PEFT's name.
   *
   * @throws ConfigurationException if it is none; the message lists them
   */
  public static CombinationType parse(String name) {
    for (CombinationType type : values()) {
      if (type.peftName().equals(name)) {
        return type;
      }
    }
    throw new ConfigurationException(
        "combination_type: %s is not known; known are %s"
            .formatted(
                name,
                Arrays.stream(values())
                    .map(CombinationType::peftName)
                    .collect(Collectors.joining(", "))));
  }
}
