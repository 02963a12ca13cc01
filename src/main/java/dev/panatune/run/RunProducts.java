package dev.panatune.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.format.AtomicFiles;
import java.nio.file.Path;
import java.util.Map;

/** What a run leaves in its output directory, beside checkpoints, log and plot. */
final class RunProducts {
  static final String MERGED = "merged";

  private static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private RunProducts() {}

  /** Saves how the run was configured, before it begins. */
  static void saveConfig(RunConfig config) {
    AtomicFiles.writeString(
        config.training().outputDir().resolve("run.yaml"), RunFile.write(config.resolved()));
  }

  /** Saves the trained weights, what they reached, and the model card. */
  static void save(RunConfig config, RunReport report, TrainedPart trained) {
    Path output = config.training().outputDir();
    trained.trainable().save(output);
    AtomicFiles.writeString(output.resolve("eval.json"), json(report.toMap()));
    AtomicFiles.writeString(
        output.resolve("README.md"),
        ModelCard.of(
            config, report, trained.adapter().map(adapter -> adapter.config().peftType())));
  }

  private static String json(Map<String, ?> values) {
    try {
      return JSON.writeValueAsString(values) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("not JSON: " + values, e);
    }
  }
}
