package dev.panatune.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures Panatune, and Python's libraries beside it. */
@Command(
    name = "bench",
    description = "Measures time and memory, and Python's libraries beside it where there are any.",
    subcommands = {
      BenchTrainCommand.class,
      BenchDecodeCommand.class,
      BenchLoadCommand.class,
      BenchOpsCommand.class,
      BenchWorkerCommand.class
    })
final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "what to measure is missing");
  }
}
