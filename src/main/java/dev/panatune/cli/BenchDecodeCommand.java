package dev.panatune.cli;

import dev.panatune.bench.DecodeBench;
import dev.panatune.bench.DecodeJob;
import dev.panatune.bench.GgufForms;
import dev.panatune.bench.PythonPeers;
import dev.panatune.natives.NativeLibraries;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures generation. */
@Command(
    name = "decode",
    description =
        "Measures greedy generation, dense and in NF4, beside transformers and llama.cpp.")
final class BenchDecodeCommand implements Callable<Integer> {
  @Mixin private BenchModelOptions model;

  @Option(
      names = "--prompt-length",
      paramLabel = "N",
      defaultValue = "128",
      description = "Tokens of the prompt; ${DEFAULT-VALUE} by default.")
  private int promptLength;

  @Option(
      names = "--max-new-tokens",
      paramLabel = "N",
      defaultValue = "256",
      description = "Tokens that are generated; ${DEFAULT-VALUE} by default.")
  private int newTokens;

  @Option(
      names = "--runs",
      paramLabel = "N",
      defaultValue = "2",
      description = "Texts a turn, after one that is not counted; ${DEFAULT-VALUE} by default.")
  private int runs;

  @Mixin private BenchOptions options;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Limits.atLeast("--prompt-length", promptLength, 1);
    Limits.atLeast("--max-new-tokens", newTokens, 2);
    Limits.atLeast("--runs", runs, 1);
    PrintWriter progress = spec.commandLine().getErr();
    Optional<PythonPeers> python = options.python(progress);
    NativeLibraries.load();
    Optional<GgufForms> forms = model.forms();
    DecodeJob job = model.job(forms, promptLength, newTokens, runs, options.threads());
    options.print(
        DecodeBench.decode(job, forms, python, options.rounds(), progress),
        spec.commandLine().getOut());
    return 0;
  }
}
