package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Finds the native libraries: an explicit folder ({@code PANATUNE_TORCH}, {@code LIBTORCH}) first,
 * then the cache. {@code cmake/Natives.cmake} looks in the same order.
 */
final class NativesLocator {
  static final List<String> VARIABLES = List.of("PANATUNE_TORCH", "LIBTORCH");

  private static final Pattern PYTHON_VERSION =
      Pattern.compile("^__version__\\s*=\\s*['\"]([^'\"]+)['\"]", Pattern.MULTILINE);

  private final Map<String, String> environment;
  private final Path home;
  private final NativesLock lock;
  private final Platform platform;

  NativesLocator(Map<String, String> environment, Path home, NativesLock lock, Platform platform) {
    this.environment = Map.copyOf(environment);
    this.home = home;
    this.lock = lock;
    this.platform = platform;
  }

  /** For this process's environment. */
  static NativesLocator current() {
    return new NativesLocator(
        System.getenv(), PanatuneHome.path(), NativesLock.load(), Platform.current());
  }

  NativesLock lock() {
    return lock;
  }

  Platform platform() {
    return platform;
  }

  /** The folder of the cache that a group is unpacked into. */
  Path cacheFolder(String group) {
    return home.resolve("natives").resolve(group + "-" + lock.version(group));
  }

  /** The variable that names a libtorch, where one is set. */
  Optional<String> explicitVariable() {
    return VARIABLES.stream().filter(v -> !environment.getOrDefault(v, "").isEmpty()).findFirst();
  }

  /**
   * The libtorch to use, of whatever version it is; empty if none is named and none is in the
   * cache.
   *
   * @throws NativeLibraryException if a variable names a folder that is no libtorch
   */
  Optional<LocatedLibrary> findTorch() {
    Optional<String> variable = explicitVariable();
    if (variable.isEmpty()) {
      Path folder = cacheFolder(NativesLock.TORCH);
      return NativesFetcher.isComplete(folder, lock.wheels(NativesLock.TORCH, platform))
          ? Optional.of(located(folder.resolve("torch"), "cache"))
          : Optional.empty();
    }
    Path folder = Path.of(environment.get(variable.get())).toAbsolutePath().normalize();
    return Optional.of(located(folder, variable.get()));
  }

  /**
   * The libtorch to use, present and of the pinned version.
   *
   * @throws NativeLibraryException if there is none, or one of another version
   */
  LocatedLibrary requireTorch() {
    String pinned = lock.version(NativesLock.TORCH);
    LocatedLibrary torch =
        findTorch()
            .orElseThrow(() ->
                new NativeLibraryException(
                    "libtorch "
                        + pinned
                        + " is not in the cache ("
                        + cacheFolder(NativesLock.TORCH)
                        + "): run 'panatune setup' to fetch it, or point PANATUNE_TORCH at an"
                        + " installed one."));
    if (!torch.release().equals(pinned)) {
      throw new NativeLibraryException(
          "libtorch "
              + torch.version()
              + " in "
              + torch.folder()
              + " ("
              + torch.origin()
              + ") is of another version than libtorch "
              + pinned
              + ", which this Panatune is made for: install "
              + pinned
              + " there, or unset "
              + torch.origin()
              + " and run 'panatune setup'.");
    }
    return torch;
  }

  /**
   * The bitsandbytes to use: the one beside an explicit libtorch in a Python environment if it has
   * the pinned version, else the cache's. Panatune works without it, by its own kernels.
   */
  Optional<LocatedLibrary> findBitsandbytes() {
    String pinned = lock.version(NativesLock.BITSANDBYTES);
    Optional<LocatedLibrary> beside =
        explicitVariable()
            .flatMap(v -> besideTorch(Path.of(environment.get(v)).toAbsolutePath().normalize(), v));
    if (beside.isPresent() && beside.get().version().equals(pinned)) {
      return beside;
    }
    Path folder = cacheFolder(NativesLock.BITSANDBYTES);
    return NativesFetcher.isComplete(folder, lock.wheels(NativesLock.BITSANDBYTES, platform))
        ? Optional.of(new LocatedLibrary(folder.resolve("bitsandbytes"), pinned, "cache"))
        : Optional.empty();
  }

  private static Optional<LocatedLibrary> besideTorch(Path torch, String variable) {
    Path site = torch.getParent();
    if (site == null || !Files.isDirectory(site.resolve("bitsandbytes"))) {
      return Optional.empty();
    }
    try (DirectoryStream<Path> infos = Files.newDirectoryStream(site, "bitsandbytes-*.dist-info")) {
      for (Path info : infos) {
        String name = info.getFileName().toString();
        String version =
            name.substring("bitsandbytes-".length(), name.length() - ".dist-info".length());
        return Optional.of(new LocatedLibrary(site.resolve("bitsandbytes"), version, variable));
      }
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private LocatedLibrary located(Path folder, String origin) {
    Optional<String> version = torchVersion(folder);
    Path library = folder.resolve("lib").resolve(platform.library("torch_cpu"));
    if (version.isEmpty() || !Files.isRegularFile(library)) {
      throw new NativeLibraryException(
          "No libtorch in "
              + folder
              + " ("
              + origin
              + "): expected lib/"
              + library.getFileName()
              + " and version.py or build-version. "
              + (origin.equals("cache")
                  ? "Delete the folder and run 'panatune setup'."
                  : "Point "
                      + origin
                      + " at an unpacked libtorch, or at the torch folder of a Python environment,"
                      + " or unset it."));
    }
    return new LocatedLibrary(folder, version.get(), origin);
  }

  /** What version.py (Python) or build-version (libtorch distribution) in the folder states. */
  private static Optional<String> torchVersion(Path folder) {
    try {
      Path python = folder.resolve("version.py");
      if (Files.isRegularFile(python)) {
        Matcher matcher = PYTHON_VERSION.matcher(Files.readString(python));
        return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
      }
      Path build = folder.resolve("build-version");
      return Files.isRegularFile(build)
          ? Files.readString(build).lines().findFirst().map(String::strip)
          : Optional.empty();
    } catch (IOException e) {
      throw new NativeLibraryException(
          "The version of libtorch in " + folder + " is unreadable", e);
    }
  }
}
