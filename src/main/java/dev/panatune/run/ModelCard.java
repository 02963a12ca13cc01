package dev.panatune.run;

import dev.panatune.peft.PeftType;
import dev.panatune.peft.TaskType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** The README.md beside saved weights: what they are, how they were made, how good they are. */
final class ModelCard {
  private ModelCard() {}

  /**
   * The card as Markdown, with the front matter that model hubs read.
   *
   * @param config the run
   * @param report what it reached
   * @param adapter the method; empty where the whole model was trained
   */
  static String of(RunConfig config, RunReport report, Optional<PeftType> adapter) {
    List<String> lines = new ArrayList<>();
    lines.add("---");
    lines.add(RunFile.write(Map.of("base_model", config.model().path())).stripTrailing());
    lines.add("library_name: " + (adapter.isPresent() ? "peft" : "transformers"));
    boolean classifies = config.model().task() == TaskType.SEQ_CLS;
    lines.add("pipeline_tag: " + (classifies ? "text-classification" : "text-generation"));
    lines.add("tags:");
    lines.add("- panatune");
    if (adapter.isPresent()) {
      lines.add("- " + adapter.get().name().toLowerCase(Locale.ROOT));
    }
    lines.add("---");
    lines.add("");
    lines.add("# " + config.training().outputDir().toAbsolutePath().normalize().getFileName());
    lines.add("");
    lines.add(
        "%s of `%s`, made by Panatune."
            .formatted(
                adapter.map(PeftType::label).orElse("Fine-tuned version"), config.model().path()));
    lines.add("");
    lines.addAll(results(report));
    lines.add("## The run");
    lines.add("");
    lines.add("```yaml");
    lines.add(RunFile.write(recipe(config)).stripTrailing());
    lines.add("```");
    return String.join("\n", lines) + "\n";
  }

  private static List<String> results(RunReport report) {
    List<String> lines = new ArrayList<>();
    if (!report.after().isEmpty()) {
      lines.add("| on held-out rows | before | after |");
      lines.add("|---|---|---|");
      report
          .after()
          .forEach((name, after) ->
              lines.add(
                  "| %s | %s | %s |"
                      .formatted(name, number(report.before().get(name)), number(after))));
      lines.add("");
    }
    for (Map<String, String> sample : report.samples()) {
      lines.add("**" + sample.get("prompt").replaceAll("\\s+", " ") + "**");
      lines.add("");
      lines.add("- before: " + sample.get("before").replaceAll("\\s+", " "));
      lines.add("- after: " + sample.get("after").replaceAll("\\s+", " "));
      lines.add("");
    }
    return lines;
  }

  /** What made the weights what they are, without where things lay on one machine. */
  private static Map<String, Object> recipe(RunConfig config) {
    Map<String, Object> recipe = new LinkedHashMap<>(config.resolved());
    recipe.keySet().retainAll(List.of("model", "peft", "training", "seed"));
    return recipe;
  }

  private static String number(Double value) {
    return value == null ? "-" : String.format(Locale.ROOT, "%.4f", value);
  }
}
