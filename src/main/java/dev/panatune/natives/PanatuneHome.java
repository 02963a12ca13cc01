package dev.panatune.natives;

import java.nio.file.Path;
import java.util.Map;

/** Where Panatune keeps what it fetched: native libraries, models, tokenizer libraries. */
public final class PanatuneHome {
  private PanatuneHome() {}

  /**
   * The cache folder: {@code PANATUNE_HOME} of the environment, else {@code ~/.cache/panatune}. It
   * need not exist.
   */
  public static Path path() {
    return path(System.getenv(), Path.of(System.getProperty("user.home")));
  }

  static Path path(Map<String, String> environment, Path userHome) {
    String set = environment.get("PANATUNE_HOME");
    return set == null || set.isEmpty()
        ? userHome.resolve(".cache").resolve("panatune")
        : Path.of(set).toAbsolutePath().normalize();
  }
}
