package dev.panatune.natives;

import java.nio.file.Path;

/**
 * The Java that runs.
 *
 * @param version for example {@code 25.0.3+9-LTS}
 * @param vendor who made it
 * @param home where it is installed
 * @param maxHeapBytes the bound of its heap; tensors live outside of it
 */
public record JavaFacts(String version, String vendor, Path home, long maxHeapBytes) {
  static JavaFacts current() {
    return new JavaFacts(
        Runtime.version().toString(),
        System.getProperty("java.vendor"),
        Path.of(System.getProperty("java.home")),
        Runtime.getRuntime().maxMemory());
  }
}
