package dev.panatune.cli;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Tells a person, in a line or two, what went wrong, and a script by the exit code. */
final class Failures {
  private Failures() {}

  /** The arguments are not what the command takes. */
  static int ofUsage(ParameterException failure, String[] arguments) {
    CommandLine line = failure.getCommandLine();
    PrintWriter err = line.getErr();
    err.println("error: " + failure.getMessage().strip().replaceAll("\\s*\n\\s*", " "));
    if (failure instanceof UnmatchedArgumentException unmatched) {
      List<String> near = unmatched.getSuggestions();
      if (!near.isEmpty()) {
        err.println("Did you mean " + String.join(" or ", near) + "?");
        return CommandLine.ExitCode.USAGE;
      }
    }
    err.println("See " + line.getCommandSpec().qualifiedName() + " --help");
    return CommandLine.ExitCode.USAGE;
  }

  /** The command began and failed. */
  static int ofExecution(Exception failure, CommandLine line, ParseResult arguments) {
    tell(failure, line);
    return failure instanceof ConfigurationException
        ? CommandLine.ExitCode.USAGE
        : CommandLine.ExitCode.SOFTWARE;
  }

  /** The Java machine could not go on: no memory, mostly. */
  static int ofError(Error failure, CommandLine line) {
    tell(failure, line);
    return CommandLine.ExitCode.SOFTWARE;
  }

  private static void tell(Throwable failure, CommandLine line) {
    PrintWriter err = line.getErr();
    err.println("error: " + message(failure));
    PanatuneCommand top = (PanatuneCommand) line.getCommandSpec().root().userObject();
    if (top.debug()) {
      failure.printStackTrace(err);
    } else if (failure instanceof OutOfMemoryError) {
      err.println("Give Java more memory with PANATUNE_JAVA_OPTS=-Xmx4g, or use less data.");
    } else if (!isExpected(failure)) {
      err.println("This looks like a mistake in Panatune; --debug shows where.");
    }
  }

  private static boolean isExpected(Throwable failure) {
    return failure instanceof PanatuneException
        || failure instanceof IOException
        || failure instanceof UncheckedIOException;
  }

  private static String message(Throwable failure) {
    return failure instanceof PanatuneException ? failure.getMessage() : failure.toString();
  }
}
