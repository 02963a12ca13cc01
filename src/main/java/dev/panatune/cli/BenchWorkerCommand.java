package dev.panatune.cli;

import dev.panatune.bench.BenchWorker;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What {@code bench} starts for each turn of ours. */
@Command(name = "worker", hidden = true, description = "Runs one job of a benchmark.")
final class BenchWorkerCommand implements Callable<Integer> {
  @Parameters(paramLabel = "JOB", description = "One JSON object.")
  private String job;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    JsonOutput.print(spec.commandLine().getOut(), BenchWorker.run(job));
    return 0;
  }
}
