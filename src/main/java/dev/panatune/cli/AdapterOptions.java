package dev.panatune.cli;

import dev.panatune.error.ConfigurationException;
import dev.panatune.peft.Combination;
import dev.panatune.peft.CombinationType;
import dev.panatune.run.AdapterChoice;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import picocli.CommandLine.Option;

/** Which adapters to put on a model, and how they act together. */
final class AdapterOptions {
  @Option(
      names = "--adapter",
      paramLabel = "[NAME=]DIR",
      description =
          "A PEFT adapter to put on it. Several of LoRA or IA3 may be given; their updates are added"
              + " up.")
  private List<String> adapters = List.of();

  @Option(
      names = "--adapter-weights",
      paramLabel = "W",
      split = ",",
      description = "Combine the adapters into one with these weights, in their order.")
  private List<Double> weights = List.of();

  @Option(
      names = "--combination",
      paramLabel = "TYPE",
      description =
          "With --adapter-weights: svd (default), linear (all that IA3 has), cat, ties,"
              + " dare_linear, dare_ties, magnitude_prune, or one of the last four with _svd.")
  private String combination;

  @Option(
      names = "--density",
      paramLabel = "SHARE",
      description = "With ties, dare_... and magnitude_prune: the share of values that is kept.")
  private Double density;

  /**
   * What was asked for.
   *
   * @throws ConfigurationException if options do not go together
   */
  AdapterChoice choice() {
    SequencedMap<String, Path> directories = AdapterChoice.parse(adapters);
    if (weights.isEmpty()) {
      if (combination != null || density != null) {
        throw new ConfigurationException(
            (combination == null ? "--density" : "--combination") + " needs --adapter-weights");
      }
      return new AdapterChoice(directories, Optional.empty());
    }
    CombinationType type = CombinationType.parse(combination == null ? "svd" : combination);
    Combination combined = Combination.of(type, List.copyOf(directories.keySet()), weights);
    return new AdapterChoice(
        directories, Optional.of(density == null ? combined : combined.withDensity(density)));
  }
}
