package dev.panatune.natives;

import java.util.Locale;

/**
 * An operating system and a processor architecture.
 *
 * @param os {@code linux}, {@code macos}, or what Java calls another one
 * @param arch {@code x86_64}, {@code aarch64}, or what Java calls another one
 */
public record Platform(String os, String arch) {

  /** The platform of this process. */
  public static Platform current() {
    return of(System.getProperty("os.name"), System.getProperty("os.arch"));
  }

  /** The platform of Java's {@code os.name} and {@code os.arch}. */
  static Platform of(String osName, String osArch) {
    String os = osName.toLowerCase(Locale.ROOT);
    String arch = osArch.toLowerCase(Locale.ROOT);
    return new Platform(
        os.startsWith("mac") ? "macos" : os,
        switch (arch) {
          case "amd64", "x64" -> "x86_64";
          case "arm64" -> "aarch64";
          default -> arch;
        });
  }

  /** The name that lock file and resources use, for example {@code linux-x86_64}. */
  public String id() {
    return os + "-" + arch;
  }

  /**
   * The file name of a shared library, for example {@code libtorch_cpu.so} for {@code torch_cpu}.
   */
  public String library(String name) {
    return "lib" + name + (os.equals("macos") ? ".dylib" : ".so");
  }

  boolean isLinux() {
    return os.equals("linux");
  }

  @Override
  public String toString() {
    return id();
  }
}
