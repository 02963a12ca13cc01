package dev.panatune.cli;

import dev.panatune.bench.ModelShape;
import dev.panatune.bench.PythonPeers;
import dev.panatune.bench.TrainBench;
import dev.panatune.bench.TrainJob;
import dev.panatune.bench.TrainKind;
import dev.panatune.bench.TrainPeer;
import dev.panatune.natives.NativeLibraries;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures training steps. */
@Command(name = "train", description = "Measures steps of LoRA and QLoRA, r = 16 on all linears.")
final class BenchTrainCommand implements Callable<Integer> {
  @ArgGroup private Base base = new Base();

  /** What is trained on. */
  private static final class Base {
    @Option(
        names = "--shape",
        paramLabel = "SHAPE",
        description = "tiny, 135m (default), 360m, 1.7b or 7b, with random weights.")
    private String shape = "135m";

    @Option(
        names = "--model",
        paramLabel = "DIR",
        description = "A Hugging Face directory, in place of random weights.")
    private Path model;

    Path directory() {
      return model == null ? ModelShape.of(shape).directory() : model.toAbsolutePath();
    }
  }

  @Option(
      names = "--kinds",
      paramLabel = "KIND",
      split = ",",
      defaultValue = "lora,qlora",
      description = "What of ours is measured: ${DEFAULT-VALUE} by default.")
  private List<TrainKind> kinds;

  @Option(
      names = "--peers",
      paramLabel = "PEER",
      split = ",",
      defaultValue = "peft-lora,peft-lora-tuned,peft-qlora,peft-qlora-tuned",
      description = {
        "What it is compared with; ${DEFAULT-VALUE} by default. There are also",
        "peft-lora-tuned-bf16, peft-qlora-tuned-bf16 (adapters in bf16), peft-lora-compiled and",
        "peft-lora-compiled-tuned. Tuned: glibc's malloc keeps large blocks."
      })
  private List<String> peers;

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
    List<TrainPeer> chosen = peers.stream().map(TrainPeer::of).toList();
    PrintWriter progress = spec.commandLine().getErr();
    Optional<PythonPeers> python = options.python(progress);
    NativeLibraries.load();
    TrainJob job =
        new TrainJob(
            base.directory(),
            false,
            DTypes.parse(dtype),
            batch,
            length,
            steps,
            checkpointing,
            options.threads(),
            true);
    options.print(
        TrainBench.run(job, kinds, chosen, python, options.rounds(), progress),
        spec.commandLine().getOut());
    return 0;
  }
}
