package dev.panatune.model;

import dev.panatune.error.FormatException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Compares what a checkpoint has with what a model needs, before anything is loaded. */
final class CheckpointFit {
  private static final int LISTED = 8;

  private CheckpointFit() {}

  /**
   * Checks that a checkpoint has exactly the parameters of a model.
   *
   * @throws FormatException naming those that are missing, unknown, or of another shape
   */
  static void check(Checkpoint checkpoint, ModelConfig config) {
    Map<String, long[]> unknown = new LinkedHashMap<>(checkpoint.shapes());
    if (config.layerCount() > unknown.size()) {
      throw new FormatException(
          "%s has %d tensors, too few for the %d layers that its configuration describes"
              .formatted(checkpoint.description(), unknown.size(), config.layerCount()));
    }
    ShapeRecorder recorder = ShapeRecorder.of(config);
    Map<String, long[]> needed = recorder.shapes();
    List<String> missing = new ArrayList<>();
    List<String> misshapen = new ArrayList<>();
    needed.forEach((name, shape) -> {
      long[] stored = unknown.remove(name);
      // bitsandbytes has no Conv1D: what is kept in 4 bits lies as in a linear layer.
      long[] wanted =
          checkpoint.isQuantized(name) && recorder.isConv1d(name)
              ? new long[] {shape[1], shape[0]}
              : shape;
      if (stored == null) {
        missing.add(named(name, shape));
      } else if (!Arrays.equals(stored, wanted)) {
        misshapen.add(
            "%s is %s and should be %s"
                .formatted(name, Arrays.toString(stored), Arrays.toString(wanted)));
      }
    });
    unknown.keySet().removeIf(name -> isIgnored(name, config));

    List<String> faults = new ArrayList<>();
    describe("missing: ", missing, faults);
    describe(
        "unknown to it: ", unknown.entrySet().stream().map(CheckpointFit::named).toList(), faults);
    describe("of another shape: ", misshapen, faults);
    if (!faults.isEmpty()) {
      throw new FormatException(
          "%s does not hold the %s model that its configuration describes; %s"
              .formatted(checkpoint.description(), config.modelType(), String.join("; ", faults)));
    }
  }

  /** What a tied head makes redundant. */
  private static boolean isIgnored(String name, ModelConfig config) {
    return config.tiedHead() && name.equals("lm_head.weight");
  }

  private static void describe(String what, List<String> entries, List<String> faults) {
    if (!entries.isEmpty()) {
      String more =
          entries.size() > LISTED ? " and %d more".formatted(entries.size() - LISTED) : "";
      faults.add(
          what + String.join(", ", entries.subList(0, Math.min(LISTED, entries.size()))) + more);
    }
  }

  private static String named(Map.Entry<String, long[]> entry) {
    return named(entry.getKey(), entry.getValue());
  }

  private static String named(String name, long[] shape) {
    return name + " " + Arrays.toString(shape);
  }
}
