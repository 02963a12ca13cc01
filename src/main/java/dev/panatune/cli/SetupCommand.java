package dev.panatune.cli;

import dev.panatune.natives.LoadReport;
import dev.panatune.natives.NativeLibraries;
import dev.panatune.natives.NativesFetcher;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Gets the native libraries. */
@Command(name = "setup", description = "Gets libtorch and bitsandbytes, and checks that they load.")
final class SetupCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter err = spec.commandLine().getErr();
    NativesFetcher.fetchMissing(err::println);
    LoadReport report = NativeLibraries.report();
    report.problems().forEach(err::println);
    spec.commandLine()
        .getOut()
        .println(
            "libtorch %s, from %s".formatted(report.torch().version(), report.torch().folder()));
    return 0;
  }
}
