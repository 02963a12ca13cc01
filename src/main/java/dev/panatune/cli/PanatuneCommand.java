package dev.panatune.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The top of the command line. */
@Command(
    name = "panatune",
    description = "Fine-tunes language models, at native speed and on Python's own files.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    scope = ScopeType.INHERIT,
    synopsisSubcommandLabel = "COMMAND",
    usageHelpAutoWidth = true,
    subcommands = {
      SetupCommand.class,
      DoctorCommand.class,
      TrainCommand.class,
      EvalCommand.class,
      GenerateCommand.class,
      ChatCommand.class,
      MergeCommand.class,
      QuantizeCommand.class,
      ExportCommand.class,
      InspectCommand.class,
      BenchCommand.class,
    })
final class PanatuneCommand implements Runnable {
  @Option(
      names = "--debug",
      description = "With an error, show where in the program it arose.",
      scope = ScopeType.INHERIT)
  private boolean debug;

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  boolean debug() {
    return debug;
  }
}
