package dev.panatune.bench;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command that starts Panatune once more, just as this process was started. */
final class OwnProcess {
  /** Where {@code bin/panatune} tells its checkout; what it takes itself is measured too. */
  static final String ROOT = "panatune.root";

  private static final String MAIN = "dev.panatune.cli.Main";

  private OwnProcess() {}

  static List<String> command(String... arguments) {
    List<String> command = new ArrayList<>();
    String root = System.getProperty(ROOT);
    if (root != null) {
      command.add(Path.of(root, "bin", "panatune").toString());
    } else {
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
      command.addAll(List.of("-cp", System.getProperty("java.class.path"), MAIN));
    }
    command.addAll(List.of(arguments));
    return command;
  }
}
