package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Loads the native libraries, in the order that keeps one OpenMP runtime in the process. */
public final class NativeLibraries {
  private static boolean loaded;

  private NativeLibraries() {}

  /** Loads everything once; later calls do nothing. */
  public static synchronized void load() {
    if (loaded) {
      return;
    }
    String torch = System.getenv("PANATUNE_TORCH");
    if (torch == null) {
      throw new NativeLibraryException(
          "set PANATUNE_TORCH to the torch folder of an installed PyTorch");
    }
    Path lib = Path.of(torch, "lib");
    Path cuda = Path.of(torch).resolveSibling("nvidia/cu13/lib");
    for (Path path :
        List.of(
            lib.resolve("libgomp.so.1"),
            cuda.resolve("libcudart.so.13"),
            cuda.resolve("libcupti.so.13"),
            lib.resolve("libc10.so"),
            lib.resolve("libtorch_cpu.so"))) {
      if (Files.exists(path)) {
        System.load(path.toString());
      }
    }
    var shim = NativeLibraries.class.getResource("linux-x86_64/libpanatune.so");
    if (shim == null) {
      throw new NativeLibraryException("libpanatune.so is not built; run mvn package");
    }
    System.load(Path.of(shim.getPath()).toString());
    loaded = true;
  }
}
