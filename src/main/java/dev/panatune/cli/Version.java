package dev.panatune.cli;

import java.util.Optional;
import picocli.CommandLine.IVersionProvider;

/** Says which version of Panatune this is. */
final class Version implements IVersionProvider {
  @Override
  public String[] getVersion() {
    return new String[] {"panatune " + text()};
  }

  static String text() {
    return Optional.ofNullable(Version.class.getPackage().getImplementationVersion())
        .orElse("(built from source)");
  }
}
