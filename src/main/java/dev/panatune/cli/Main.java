package dev.panatune.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;

/** The program {@code panatune}. */
public final class Main {
  private Main() {}

  /**
   * Runs one command and ends the process: 0 if it was done, 2 for bad usage or configuration, 130
   * or 143 after a signal, 1 for anything else.
   */
  public static void main(String[] arguments) {
    PrintWriter out = new PrintWriter(System.out, false, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    int code = run(out, err, arguments);
    out.flush();
    err.flush();
    System.exit(code);
  }

  /**
   * Runs one command.
   *
   * @param out what the command answers
   * @param err progress and errors
   * @return the exit code
   */
  static int run(PrintWriter out, PrintWriter err, String... arguments) {
    CommandLine line = PanatuneCommand.lineFor(arguments);
    line.setOut(out);
    line.setErr(err);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler(Failures::ofUsage);
    line.setExecutionExceptionHandler(Failures::ofExecution);
    try {
      return line.execute(arguments);
    } catch (Error e) {
      return Failures.ofError(e, line);
    }
  }
}
