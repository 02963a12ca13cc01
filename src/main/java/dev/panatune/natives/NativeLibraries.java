package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The native libraries of this process. They are loaded once, in an order that leaves one OpenMP
 * runtime in the process, and stay until it ends.
 */
public final class NativeLibraries {
  private static Loaded loaded;

  private record Loaded(
      SymbolLookup shim, Optional<SymbolLookup> bitsandbytes, LoadReport report) {}

  private NativeLibraries() {}

  /**
   * Loads libtorch, the shim over it, and bitsandbytes where it is installed; does nothing the
   * second time.
   *
   * @throws NativeLibraryException if one of them is broken, or libtorch or the shim is missing or
   *     libtorch is of another version
   */
  public static void load() {
    ensureLoaded();
  }

  /** The symbols of our shim, {@code libpanatune}. Loads it if need be. */
  public static SymbolLookup shim() {
    return ensureLoaded().shim();
  }

  /**
   * The symbols of bitsandbytes: its CUDA build where CUDA was loaded, else its CPU build; empty
   * where it is not installed. Builds differ in what they hold. Loads it if need be.
   */
  public static Optional<SymbolLookup> bitsandbytes() {
    return ensureLoaded().bitsandbytes();
  }

  /** What was loaded, from where. Loads it if need be. */
  public static LoadReport report() {
    return ensureLoaded().report();
  }

  private static synchronized Loaded ensureLoaded() {
    if (loaded == null) {
      loaded = loadAll(NativesLocator.current());
    }
    return loaded;
  }

  private static Loaded loadAll(NativesLocator locator) {
    LocatedLibrary torch = locator.requireTorch();
    LibraryLoader loader = new LibraryLoader(locator.platform());
    List<String> problems = new ArrayList<>();
    loader.loadTorch(torch);
    boolean cuda = loadCuda(loader, torch, problems);
    Path shim = ShimFile.locate(locator.platform(), PanatuneHome.path());
    loader.load(shim);
    Optional<LocatedLibrary> bitsandbytes = locator.findBitsandbytes();
    Optional<Path> file =
        bitsandbytes
            .map(b -> bitsandbytesFile(b, torch, cuda, locator.platform()))
            .filter(f -> isSafe(f, loader, problems));
    file.ifPresent(loader::load);
    return new Loaded(
        SymbolLookup.libraryLookup(shim, Arena.global()),
        file.map(f -> SymbolLookup.libraryLookup(f, Arena.global())),
        new LoadReport(torch, bitsandbytes, loader.files(), problems));
  }

  private static boolean loadCuda(
      LibraryLoader loader, LocatedLibrary torch, List<String> problems) {
    try {
      return loader.loadCuda(torch);
    } catch (NativeLibraryException e) {
      problems.add("There is a GPU driver, but CUDA cannot be used: " + e.getMessage());
      return false;
    }
  }

  /**
   * {@code libbitsandbytes_cuda130.so} beside libtorch {@code 2.13.0+cu130}, else the CPU build.
   */
  private static Path bitsandbytesFile(
      LocatedLibrary bitsandbytes, LocatedLibrary torch, boolean cuda, Platform platform) {
    int tag = torch.version().indexOf("+cu");
    if (cuda && tag >= 0) {
      String name = "bitsandbytes_cuda" + torch.version().substring(tag + "+cu".length());
      Path file = bitsandbytes.folder().resolve(platform.library(name));
      if (Files.isRegularFile(file)) {
        return file;
      }
    }
    return bitsandbytes.folder().resolve(platform.library("bitsandbytes_cpu"));
  }

  private static boolean isSafe(Path file, LibraryLoader loader, List<String> problems) {
    boolean second = loader.wouldBringOpenMp(file);
    if (second) {
      problems.add(
          file
              + " is not used: it would bring a second OpenMP runtime into the process, because"
              + " this libtorch has one of another name. Panatune's own kernels are used instead.");
    }
    return !second;
  }
}
