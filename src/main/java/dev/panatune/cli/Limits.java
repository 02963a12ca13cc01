package dev.panatune.cli;

import dev.panatune.error.ConfigurationException;

/** What the numbers of the command line may be. */
final class Limits {
  private Limits() {}

  static void atLeast(String option, long value, long least) {
    if (value < least) {
      throw new ConfigurationException(
          "%s is %d; it must be at least %d".formatted(option, value, least));
    }
  }
}
