package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * Resolves a file name that an outside file gives (a shard in an index, a wheel's member, an
 * adapter's tokenizer) without letting it lead out of its directory.
 */
public final class ContainedPath {
  private ContainedPath() {}

  /**
   * Returns {@code name} as a normalised relative path.
   *
   * @param source what gives the name, for the message of an error
   * @throws FormatException if it is empty or absolute or has {@code ..}, a back-slash or a NUL
   */
  public static Path relative(String name, String source) {
    if (name.isEmpty()) {
      throw refused(source, name, "is empty");
    }
    if (name.indexOf('\0') >= 0) {
      throw refused(source, name, "holds a NUL character");
    }
    if (name.indexOf('\\') >= 0) {
      throw refused(source, name, "holds a back-slash");
    }
    if (name.startsWith("/")) {
      throw refused(source, name, "is absolute");
    }
    for (String part : name.split("/", -1)) {
      if (part.equals("..") || part.equals(".") || part.isEmpty()) {
        throw refused(source, name, "has an empty part, \".\" or \"..\"");
      }
    }
    try {
      return Path.of(name);
    } catch (InvalidPathException e) {
      throw refused(source, name, "is no path here (" + e.getReason() + ")");
    }
  }

  /**
   * Returns the existing file {@code name} below {@code directory}.
   *
   * <p>Links are followed only inside of the directory, or, in a Hugging Face cache ({@code
   * models--ORG--NAME/snapshots/REVISION}), inside of the cached repository, whose snapshots are
   * links.
   *
   * @param source what gives the name, for the message of an error
   * @throws FormatException as {@link #relative}, or if it does not exist or leads out
   */
  public static Path existing(Path directory, String name, String source) {
    Path file = directory.resolve(relative(name, source));
    if (!Files.exists(file)) {
      throw new FormatException(
          source + " names " + Printable.quoted(name) + ", which is missing; get it as well");
    }
    try {
      if (!file.toRealPath().startsWith(boundary(directory.toRealPath()))) {
        throw refused(source, name, "is a link that leads out of its directory");
      }
    } catch (IOException e) {
      throw StorageFailure.of("read", file, e);
    }
    return file;
  }

  /**
   * Returns a file of a directory that came from outside; whether it exists is not looked at.
   *
   * @throws FormatException if it is a link that leads out, as {@link #existing} says it
   */
  public static Path inside(Path file) {
    Path directory = file.toAbsolutePath().getParent();
    return Files.exists(file)
        ? existing(directory, file.getFileName().toString(), Printable.path(directory))
        : file;
  }

  private static Path boundary(Path directory) {
    Path snapshots = directory.getParent();
    boolean cached =
        snapshots != null
            && snapshots.endsWith("snapshots")
            && snapshots.getParent() != null
            && snapshots.getParent().getFileName() != null
            && snapshots.getParent().getFileName().toString().matches("(models|datasets)--.+");
    return cached ? snapshots.getParent() : directory;
  }

  private static FormatException refused(String source, String name, String why) {
    return new FormatException(
        source
            + " names the file "
            + Printable.quoted(name)
            + ", which "
            + why
            + "; only files inside of the same directory are read");
  }
}
