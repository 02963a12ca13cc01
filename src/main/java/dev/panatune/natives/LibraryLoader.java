package dev.panatune.natives;

import dev.panatune.error.FormatException;
import dev.panatune.error.NativeLibraryException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Loads shared libraries, each after the libraries that it needs from the same installation, and
 * only once their headers were seen to be whole.
 */
final class LibraryLoader {
  private final Platform platform;
  private final List<Path> folders = new ArrayList<>();
  private final Map<String, Path> loaded = new LinkedHashMap<>();

  LibraryLoader(Platform platform) {
    this.platform = platform;
  }

  /** Every file that was loaded, in order. */
  List<Path> files() {
    return List.copyOf(loaded.values());
  }

  /** Libtorch's own OpenMP runtime first, so that whatever asks for one later finds that. */
  void loadTorch(LocatedLibrary torch) {
    refuseSecondTorch();
    Path lib = torch.folder().resolve("lib");
    folders.add(lib);
    folders.addAll(nvidiaFolders(torch));
    openMpRuntimes(lib).forEach(this::load);
    load(lib.resolve(platform.library("torch_cpu")));
  }

  /**
   * Loads {@code libtorch_cuda.so} where this libtorch has one and the machine has a driver.
   *
   * @return whether CUDA was loaded
   * @throws NativeLibraryException if it should work and does not
   */
  boolean loadCuda(LocatedLibrary torch) {
    Path cuda = torch.folder().resolve("lib").resolve(platform.library("torch_cuda"));
    boolean wanted = Files.exists(cuda) && Files.exists(Path.of("/proc/driver/nvidia/version"));
    if (wanted) {
      load(cuda);
    }
    return wanted;
  }

  /**
   * Loads a library after those that it needs.
   *
   * @throws NativeLibraryException if it is not there, broken, or something that it needs is
   *     missing
   */
  void load(Path file) {
    String name = file.getFileName().toString();
    if (loaded.containsKey(name)) {
      return;
    }
    if (!Files.isRegularFile(file)) {
      throw new NativeLibraryException(file + " is missing. Run 'panatune doctor'.");
    }
    for (String needed : needed(file)) {
      inFolders(needed).ifPresent(this::load);
    }
    try {
      System.load(file.toAbsolutePath().toString());
    } catch (UnsatisfiedLinkError e) {
      throw new NativeLibraryException(
          "The system cannot load " + file + ": " + e.getMessage() + ". Run 'panatune doctor'.", e);
    }
    loaded.put(name, file);
  }

  /**
   * Whether a library needs an OpenMP runtime of a name that was not loaded: it would bring its
   * own.
   */
  boolean wouldBringOpenMp(Path file) {
    return needed(file).stream()
        .anyMatch(name -> OpenMpRuntimes.isOne(name) && !loaded.containsKey(name));
  }

  private List<String> needed(Path file) {
    if (!platform.isLinux()) {
      return List.of();
    }
    try {
      return ElfFile.read(file, platform).needed();
    } catch (FormatException e) {
      throw new NativeLibraryException(e.getMessage() + " Run 'panatune doctor'.", e);
    }
  }

  private Optional<Path> inFolders(String name) {
    return folders.stream().map(f -> f.resolve(name)).filter(Files::isRegularFile).findFirst();
  }

  /** In a Python environment the CUDA libraries lie beside torch, in nvidia/PART/lib. */
  static List<Path> nvidiaFolders(LocatedLibrary torch) {
    Path nvidia = torch.folder().resolveSibling("nvidia");
    if (!Files.isDirectory(nvidia)) {
      return List.of();
    }
    return list(nvidia).stream()
        .map(part -> part.resolve("lib"))
        .filter(Files::isDirectory)
        .toList();
  }

  static List<Path> openMpRuntimes(Path lib) {
    return list(lib).stream()
        .filter(f -> OpenMpRuntimes.isOne(f.getFileName().toString()))
        .toList();
  }

  private static List<Path> list(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void refuseSecondTorch() {
    ProcessLibraries.loaded().stream()
        .filter(path -> path.getFileName().toString().startsWith("libtorch_cpu."))
        .findFirst()
        .ifPresent(path -> {
          throw new NativeLibraryException(
              "This process has loaded another libtorch already, "
                  + path
                  + ": two cannot live in one process. Point PANATUNE_TORCH at that one if it is"
                  + " of the same version, and load Panatune first.");
        });
  }
}
