package dev.panatune.cli;

import dev.panatune.bench.ModelShape;
import dev.panatune.bench.TrainBench;
import dev.panatune.bench.TrainJob;
import dev.panatune.bench.TrainKind;
import dev.panatune.natives.NativeLibraries;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures training steps. */
@Command(name = "train", description = "Measures steps of LoRA and QLoRA, r = 16 on all linears.")
final class BenchTrainCommand implements Callable<Integer> {
  @Option(
      names = "--shape",
      paramLabel = "SHAPE",
      defaultValue = "135m",
      description = "tiny, 135m (default), 360m, 1.7b or 7b, with random weights.")
  private String shape;

  @Option(
      names = "--kinds",
      paramLabel = "KIND",
      split = ",",
      defaultValue = "lora,qlora",
      description = "What of ours is measured: ${DEFAULT-VALUE} by default.")
  private List<TrainKind> kinds;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "bf16",
      description = "Of the base's weights and of the products: bf16 (default) or fp32.")
  private String dtype;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "4",
      description = "Rows a step; ${DEFAULT-VALUE} by default.")
  private int batch;

  @Option(
      names = "--length",
      paramLabel = "N",
      defaultValue = "512",
      description = "Tokens a row; ${DEFAULT-VALUE} by default.")
  private int length;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "4",
      description = "Steps a turn, the first not counted; ${DEFAULT-VALUE} by default.")
  private int steps;

  @Option(names = "--gradient-checkpointing", description = "Compute layers twice, keep less.")
  private boolean checkpointing;

  @Mixin private BenchOptions options;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Limits.atLeast("--batch", batch, 1);
    Limits.atLeast("--length", length, 2);
    Limits.atLeast("--steps", steps, 2);
    NativeLibraries.load();
    Path model = ModelShape.of(shape).directory();
    TrainJob job =
        new TrainJob(
            model,
            false,
            DTypes.parse(dtype),
            batch,
            length,
            steps,
            checkpointing,
            options.threads(),
            true);
    options.print(
        TrainBench.run(job, kinds, options.rounds(), spec.commandLine().getErr()),
        spec.commandLine().getOut());
    return 0;
  }
}
