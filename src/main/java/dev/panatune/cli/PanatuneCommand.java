package dev.panatune.cli;

import java.util.List;
import picocli.CommandLine;
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
    usageHelpAutoWidth = true)
final class PanatuneCommand implements Runnable {
  private static final List<Class<?>> COMMANDS =
      List.of(
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
          BenchCommand.class);

  @Option(
      names = "--debug",
      description = "With an error, show where in the program it arose.",
      scope = ScopeType.INHERIT)
  private boolean debug;

  @Spec private CommandSpec spec;

  /**
   * The command line with the one command that the first argument names, or with all of them:
   * reading what they take costs a quarter of a second at every start.
   */
  static CommandLine lineFor(String[] arguments) {
    CommandLine line = new CommandLine(new PanatuneCommand());
    String first = arguments.length == 0 ? "" : arguments[0];
    List<Class<?>> named =
        COMMANDS.stream()
            .filter(type -> type.getAnnotation(Command.class).name().equals(first))
            .toList();
    (named.isEmpty() ? COMMANDS : named).forEach(line::addSubcommand);
    return line;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  boolean debug() {
    return debug;
  }
}
