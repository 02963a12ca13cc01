package dev.panatune.cli;

import dev.panatune.peft.MergeReport;
import dev.panatune.peft.PeftModel;
import dev.panatune.run.MergedModel;
import dev.panatune.run.OpenModel;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Makes one model of a model and its adapters. */
@Command(
    name = "merge",
    description = "Makes one model of a model and its adapters, as a Hugging Face directory.")
final class MergeCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      required = true,
      description = "Where to save it; must not exist, or be empty.")
  private Path out;

  @Option(
      names = "--requantize",
      description =
          "With --load-in-4bit: put the merged weights into 4 bit again, as PEFT does; by default"
              + " they stay in full precision.")
  private boolean requantize;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    if (!model.hasAdapter()) {
      throw new ParameterException(spec.commandLine(), "Missing required option: '--adapter=DIR'");
    }
    if (requantize && !model.loadsIn4bit()) {
      throw new ParameterException(spec.commandLine(), "--requantize needs --load-in-4bit");
    }
    Directories.requireFree("--out", out);
    try (OpenModel open = model.open()) {
      PeftModel adapter = open.adapter().orElseThrow();
      MergeReport report =
          MergedModel.save(open.pretrained(), adapter, Optional.empty(), requantize, out);
      spec.commandLine().getErr().println(MergedModel.describe(report));
    }
    spec.commandLine().getOut().println(out);
    return 0;
  }
}
