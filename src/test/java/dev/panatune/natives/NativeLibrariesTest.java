package dev.panatune.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class NativeLibrariesTest {
  @Test
  void loadsWithOneOpenMpRuntime() {
    NativeLibraries.load();
    NativeLibraries.load();

    assertTrue(NativeLibraries.shim().find("pt_version").isPresent());
    List<Path> runtimes = OpenMpRuntimes.in(ProcessLibraries.loaded());
    assertEquals(1, runtimes.size(), runtimes::toString);
    Path lib = NativeLibraries.report().torch().folder().resolve("lib");
    assertTrue(runtimes.getFirst().startsWith(lib), runtimes::toString);
  }
}
