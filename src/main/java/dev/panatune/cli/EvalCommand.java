package dev.panatune.cli;

import dev.panatune.data.DataFormat;
import dev.panatune.data.EncodedDataset;
import dev.panatune.data.Row;
import dev.panatune.data.RowReader;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import dev.panatune.eval.Evaluation;
import dev.panatune.eval.Evaluator;
import dev.panatune.run.DatasetEncoder;
import dev.panatune.run.OpenModel;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a model on rows. */
@Command(name = "eval", description = "Measures a model, with or without an adapter, on rows.")
final class EvalCommand implements Callable<Integer> {
  private static final List<String> METRICS =
      List.of("loss", "perplexity", "token_accuracy", "accuracy", "macro_f1");
  private static final List<String> PLANNED = List.of("f1", "bleu", "rouge");

  @Mixin private ModelOptions model;

  @Option(
      names = "--data",
      paramLabel = "FILE",
      required = true,
      description = "Rows to measure on, as JSONL.")
  private Path data;

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      defaultValue = "auto",
      description =
          "instruction, chat, prompt-completion or text; auto (default): by the first row. A"
              + " classifier takes classification: rows with text, label and, of pairs, text_pair.")
  private String format;

  @Option(
      names = "--metrics",
      paramLabel = "NAME",
      split = ",",
      description =
          "Which to report: loss, perplexity, token_accuracy; of a classifier loss, accuracy,"
              + " macro_f1 (all by default).")
  private List<String> metrics = List.of();

  @Option(
      names = "--max-length",
      paramLabel = "N",
      defaultValue = "1024",
      description = "Tokens that a row may have; what is beyond is cut (default 1024).")
  private int maxLength;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "8",
      description = "Rows at once (default 8).")
  private int batchSize;

  @Option(names = "--json", description = "Print one JSON object and nothing else.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    check();
    Optional<DataFormat> stated = DataFormat.parse(format);
    List<Row> rows = RowReader.read(data, stated);
    EncodedDataset dataset;
    Evaluation result;
    try (OpenModel open = model.open()) {
      boolean classifies = open.model().config().classifier().isPresent();
      if (classifies && stated.isEmpty()) {
        rows = RowReader.read(data, Optional.of(DataFormat.CLASSIFICATION));
      }
      dataset = DatasetEncoder.of(open.pretrained(), maxLength).encode(data.toString(), rows);
      result = Evaluator.measure(open.model(), dataset.examples(), batchSize, Optional.empty());
    }
    PrintWriter out = spec.commandLine().getOut();
    spec.commandLine().getErr().println(data + ": " + dataset.report().summary());
    SequencedMap<String, Double> chosen = chosen(result);
    if (json) {
      Map<String, Object> object = new LinkedHashMap<>(result.toMap());
      object.put("metrics", chosen);
      JsonOutput.print(out, object);
    } else {
      chosen.forEach((name, value) -> out.println("%-15s %.4f".formatted(name, value)));
      out.println(
          "%,d rows, %,d %stokens, %.1f s"
              .formatted(
                  result.examples(),
                  result.tokens(),
                  dataset.report().classes() ? "" : "target ",
                  result.seconds()));
    }
    return 0;
  }

  private void check() {
    model.check();
    for (String metric : metrics) {
      if (PLANNED.contains(metric)) {
        throw new ConfigurationException("--metrics " + metric + " is not supported yet");
      }
      if (!METRICS.contains(metric)) {
        throw new ConfigurationException(
            "--metrics %s is not known%s; known are %s"
                .formatted(
                    metric,
                    Suggestion.nearest(metric, METRICS)
                        .map("; did you mean %s?"::formatted)
                        .orElse(""),
                    String.join(", ", METRICS)));
      }
    }
    Limits.atLeast("--max-length", maxLength, 2);
    Limits.atLeast("--batch-size", batchSize, 1);
  }

  private SequencedMap<String, Double> chosen(Evaluation result) {
    SequencedMap<String, Double> chosen = new LinkedHashMap<>(result.metrics());
    for (String metric : metrics) {
      if (!chosen.containsKey(metric)) {
        throw new ConfigurationException(
            "--metrics %s is none of this model's: %s"
                .formatted(metric, String.join(", ", result.metrics().keySet())));
      }
    }
    if (!metrics.isEmpty()) {
      chosen.keySet().retainAll(metrics);
    }
    return chosen;
  }
}
