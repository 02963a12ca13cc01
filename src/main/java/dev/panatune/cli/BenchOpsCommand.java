package dev.panatune.cli;

import dev.panatune.bench.OpsBench;
import dev.panatune.bench.PythonPeers;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Measures single calls. */
@Command(name = "ops", description = "Measures what a call costs beside the work.")
final class BenchOpsCommand implements Callable<Integer> {
  @Mixin private BenchOptions options;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter progress = spec.commandLine().getErr();
    Optional<PythonPeers> python = options.python(progress);
    options.print(
        OpsBench.run(python, options.threads(), options.rounds(), progress),
        spec.commandLine().getOut());
    return 0;
  }
}
