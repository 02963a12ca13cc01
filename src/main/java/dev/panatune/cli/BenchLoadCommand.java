package dev.panatune.cli;

import dev.panatune.bench.DecodeBench;
import dev.panatune.bench.DecodeJob;
import dev.panatune.bench.PythonPeers;
import dev.panatune.natives.NativeLibraries;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Measures loading. */
@Command(
    name = "load",
    description = "Measures how soon a model is loaded, dense and in NF4, and its first token.")
final class BenchLoadCommand implements Callable<Integer> {
  @Mixin private BenchModelOptions model;
  @Mixin private BenchOptions options;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter progress = spec.commandLine().getErr();
    Optional<PythonPeers> python = options.python(progress);
    NativeLibraries.load();
    DecodeJob job = model.job(model.forms(), 1, 1, 0, options.threads());
    options.print(
        DecodeBench.load(job, python, options.rounds(), progress), spec.commandLine().getOut());
    return 0;
  }
}
