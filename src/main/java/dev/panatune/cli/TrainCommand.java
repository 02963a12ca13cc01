package dev.panatune.cli;

import dev.panatune.run.RunConfig;
import dev.panatune.run.TrainRecipe;
import dev.panatune.train.StopSignal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Runs a run file: load, train, evaluate, save. */
@Command(
    name = "train",
    description = "Fine-tunes a model as a run file says, and saves what comes of it.")
final class TrainCommand implements Callable<Integer> {
  @Parameters(paramLabel = "RUN.yaml", description = "The run file.")
  private Path file;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Overrides a key of the run file, such as training.learning_rate=1e-4.")
  private List<String> overrides = new ArrayList<>();

  @Option(
      names = "--resume",
      paramLabel = "auto|DIR",
      description = "Goes on from the newest checkpoint of output_dir, or from one named here.")
  private String resume;

  @Mixin private ThreadOptions threads;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    RunConfig config = RunConfig.read(file, overrides, Optional.ofNullable(resume));
    try (StopSignal stop = StopSignal.install()) {
      TrainRecipe recipe = TrainRecipe.prepare(config, spec.commandLine().getErr());
      threads.apply();
      recipe.run(stop);
      return stop.number().isPresent() ? 128 + stop.number().getAsInt() : 0;
    }
  }
}
