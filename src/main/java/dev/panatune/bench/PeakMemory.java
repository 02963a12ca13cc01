package dev.panatune.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/** What the system says of this process's memory; nothing on systems without {@code /proc}. */
final class PeakMemory {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final long KIB = 1024;

  private PeakMemory() {}

  /** The most memory that was ever resident, mapped pages included, in bytes. */
  static OptionalLong peak() {
    return field("VmHWM");
  }

  /** The memory that is resident now, in bytes. */
  static OptionalLong resident() {
    return field("VmRSS");
  }

  private static OptionalLong field(String name) {
    try {
      return Files.readAllLines(STATUS).stream()
          .filter(line -> line.startsWith(name + ":"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * KIB)
          .findFirst();
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }
}
