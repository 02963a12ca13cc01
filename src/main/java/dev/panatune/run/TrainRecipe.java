package dev.panatune.run;

import dev.panatune.data.EncodedDataset;
import dev.panatune.hub.Hub;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.MergeReport;
import dev.panatune.tensor.Rng;
import dev.panatune.train.StopSignal;
import dev.panatune.train.TrainResult;
import dev.panatune.train.Trainer;
import dev.panatune.train.callback.JsonLinesLog;
import dev.panatune.train.callback.LossPlot;
import dev.panatune.train.callback.ProgressBar;
import dev.panatune.train.callback.TrainerCallback;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A run from one end to the other: data, model, adapter, training between two evaluations, and what
 * is saved of it.
 */
public final class TrainRecipe {
  private final RunConfig config;
  private final Datasets rows;
  private final PrintWriter progress;

  private TrainRecipe(RunConfig config, Datasets rows, PrintWriter progress) {
    this.config = config;
    this.rows = rows;
    this.progress = progress;
  }

  /**
   * Does all that can fail before anything is loaded: reads the rows, makes the output directory.
   *
   * @param progress takes lines for a person
   */
  public static TrainRecipe prepare(RunConfig config, PrintWriter progress) {
    Datasets rows = Datasets.read(config.data(), config.training().seed());
    OutputDirectory.prepare(
        config.training().outputDir(),
        config.training().overwriteOutputDir(),
        config.training().resumeFromCheckpoint().isPresent());
    return new TrainRecipe(config, rows, progress);
  }

  /**
   * Runs it.
   *
   * @param stop what may end it early, with a checkpoint
   * @return what it reached; empty if it was stopped
   */
  public Optional<RunReport> run(StopSignal stop) {
    say("model     " + config.model().path());
    Path file = Hub.resolve(config.model().path());
    // A classifier's fresh head is drawn.
    Rng.seed(config.training().seed());
    try (PretrainedModel pretrained = config.model().load(file)) {
      TrainedPart trained = TrainedPart.of(pretrained, config);
      say("training  " + trained.describe());
      DatasetEncoder encoder = DatasetEncoder.of(pretrained, config.data().maxLength());
      EncodedDataset train = encoder.encode("data.train", rows.train());
      say("data      " + train.report().summary());
      if (config.data().packing()) {
        train = packed(train);
      }
      Optional<EncodedDataset> eval = Optional.empty();
      if (!rows.eval().isEmpty()) {
        eval = Optional.of(encoder.encode("data.eval", rows.eval()));
        say("held out  " + eval.get().report().summary());
        if (config.data().evalPacking()) {
          eval = eval.map(this::packed);
        }
      }
      RunProducts.saveConfig(config);

      SampleAnswers before = ask(pretrained);
      before.show("before", progress);
      TrainResult result = train(trained, train, eval, stop);
      if (result.stopped()) {
        say(stopped(result));
        return Optional.empty();
      }
      SampleAnswers after = ask(pretrained);
      after.show("after", progress);

      RunReport report =
          RunReport.of(
              result, savedStep(result), SampleAnswers.compare(before, after), train.report());
      RunProducts.save(config, report, trained);
      if (config.merged()) {
        say(merge(pretrained, trained));
      }
      say("saved to " + config.training().outputDir());
      return Optional.of(report);
    }
  }

  private EncodedDataset packed(EncodedDataset dataset) {
    int maxLength = config.data().maxLength();
    EncodedDataset packed = dataset.packed(maxLength);
    double room = (double) packed.examples().size() * maxLength;
    say(
        "packed    %,d rows into %,d of up to %,d tokens, %.0f %% full"
            .formatted(
                dataset.examples().size(),
                packed.examples().size(),
                maxLength,
                100 * dataset.report().tokens() / room));
    return packed;
  }

  private SampleAnswers ask(PretrainedModel pretrained) {
    return SampleAnswers.ask(pretrained, config.samplePrompts(), config.sampleTokens());
  }

  private String merge(PretrainedModel pretrained, TrainedPart trained) {
    MergeReport report =
        MergedModel.save(
            pretrained,
            trained.adapter().orElseThrow(),
            Optional.empty(),
            false,
            config.training().outputDir().resolve(RunProducts.MERGED));
    return MergedModel.describe(report);
  }

  private TrainResult train(
      TrainedPart trained, EncodedDataset train, Optional<EncodedDataset> eval, StopSignal stop) {
    Path output = config.training().outputDir();
    Trainer trainer =
        Trainer.of(trained.trainable(), config.training())
            .trainOn(train.examples())
            .evaluateOn(eval.map(EncodedDataset::examples).orElse(List.of()))
            .stopSignal(stop)
            .callback(new JsonLinesLog(output.resolve("trainer_log.jsonl")))
            .callback(new LossPlot(output.resolve("loss.png"), config.model().path()));
    trainer.callback(config.training().disableTqdm() ? messages() : ProgressBar.onStandardError());
    return trainer.train();
  }

  /** What the progress bar would have said between its updates. */
  private TrainerCallback messages() {
    return new TrainerCallback() {
      @Override
      public void onMessage(String message) {
        say(message);
      }
    };
  }

  /** The update whose weights the model has after training. */
  private int savedStep(TrainResult result) {
    return result
        .bestCheckpoint()
        .filter(checkpoint -> config.training().loadBestModelAtEnd())
        .map(checkpoint -> checkpoint.getFileName().toString().replaceAll("\\D", ""))
        .map(Integer::parseInt)
        .orElse(result.steps());
  }

  private static String stopped(TrainResult result) {
    return "stopped after step %d; %s"
        .formatted(
            result.steps(),
            result
                .newestCheckpoint()
                .map(checkpoint -> "go on from %s with --resume auto".formatted(checkpoint))
                .orElse("nothing was trained yet, so there is nothing to go on from"));
  }

  private void say(String line) {
    progress.println(line);
    progress.flush();
  }
}
