package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import dev.panatune.error.PanatuneException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Fetches what {@code natives.lock} pins into the cache, and unpacks what is needed of it.
 *
 * <p>A file appears under its name only when it is whole, and a wheel counts as there only when its
 * marker, written last, says so: a fetch that was killed is taken up at the wheel where it stopped.
 * Processes that fetch at the same time wait for each other at one lock file.
 */
public final class NativesFetcher {
  private static final String MARKERS = ".complete";

  private final NativesLocator locator;
  private final Consumer<String> progress;

  NativesFetcher(NativesLocator locator, Consumer<String> progress) {
    this.locator = locator;
    this.progress = progress;
  }

  /** Fetches what is missing, for the build; the exit code is 1 if it cannot be had. */
  public static void main(String[] arguments) {
    try {
      fetchMissing(System.err::println);
    } catch (PanatuneException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  /**
   * Fetches libtorch, unless {@code PANATUNE_TORCH} or {@code LIBTORCH} names one, and
   * bitsandbytes, unless a fitting one lies beside that. Does nothing where all is there.
   *
   * @param progress takes lines that say what goes on
   * @throws NativeLibraryException if something cannot be fetched, or does not have its pinned hash
   */
  public static void fetchMissing(Consumer<String> progress) {
    new NativesFetcher(NativesLocator.current(), progress).fetch();
  }

  void fetch() {
    if (locator.explicitVariable().isEmpty()) {
      fetch(NativesLock.TORCH);
    }
    if (locator.findBitsandbytes().isEmpty()) {
      fetch(NativesLock.BITSANDBYTES);
    }
  }

  private void fetch(String group) {
    List<LockedWheel> wheels = locator.lock().wheels(group, locator.platform());
    if (wheels.isEmpty()) {
      throw new NativeLibraryException(
          group
              + " is not pinned for "
              + locator.platform()
              + " in natives.lock: point PANATUNE_TORCH at an installed libtorch "
              + locator.lock().version(NativesLock.TORCH)
              + ".");
    }
    Path folder = locator.cacheFolder(group);
    if (isComplete(folder, wheels)) {
      return;
    }
    // Threads of one process may not lock a file twice, so they queue here first.
    synchronized (NativesFetcher.class) {
      try {
        Files.createDirectories(folder);
        try (FileChannel channel =
                FileChannel.open(
                    folder.resolveSibling(".lock"),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE);
            FileLock _ = lock(channel)) {
          fetchLocked(folder, wheels);
        }
      } catch (IOException e) {
        throw new NativeLibraryException(
            "The native libraries could not be stored in "
                + folder
                + ": "
                + e.getMessage()
                + ". libtorch takes 0.5 GB there, and as much again while it is unpacked;"
                + " PANATUNE_HOME names another place.",
            e);
      }
    }
  }

  private FileLock lock(FileChannel channel) throws IOException {
    FileLock lock = channel.tryLock();
    if (lock == null) {
      progress.accept("Waiting for another process that fetches the native libraries ...");
      lock = channel.lock();
    }
    return lock;
  }

  private void fetchLocked(Path folder, List<LockedWheel> wheels) throws IOException {
    for (LockedWheel wheel : wheels) {
      if (!isComplete(folder, List.of(wheel))) {
        Path downloads = folder.resolveSibling(".download");
        deleteTree(downloads);
        Files.createDirectories(downloads);
        Path download = Files.createTempDirectory(downloads, "");
        progress.accept("Fetching " + wheel + " for " + locator.platform() + " ...");
        unpack(wheel, download(wheel, download), folder);
        deleteTree(downloads);
      }
    }
  }

  /** Whether all of these wheels were unpacked into the folder, to their ends. */
  static boolean isComplete(Path folder, List<LockedWheel> wheels) {
    return !wheels.isEmpty() && wheels.stream().allMatch(w -> markedComplete(folder, w));
  }

  private static boolean markedComplete(Path folder, LockedWheel wheel) {
    try {
      Path marker = marker(folder, wheel);
      return Files.isRegularFile(marker) && Files.readString(marker).equals(contents(wheel));
    } catch (IOException e) {
      return false;
    }
  }

  private static Path marker(Path folder, LockedWheel wheel) {
    return folder.resolve(MARKERS).resolve(wheel.name());
  }

  private static String contents(LockedWheel wheel) {
    return wheel.version() + " " + wheel.sha256() + " " + String.join(" ", wheel.unpacked()) + "\n";
  }

  private Path download(LockedWheel wheel, Path folder) {
    List<String> options =
        List.of(
            "--implementation=cp",
            "--python-version=3.12",
            "--abi=cp312",
            "--platform=" + wheel.pipPlatform());
    try {
      return Pip.find()
          .orElseThrow(() ->
              new NativeLibraryException(
                  "pip is needed to fetch the native libraries, and none was found: install it"
                      + " (Debian: apt-get install python3-pip), or point PANATUNE_TORCH at an"
                      + " installed libtorch."))
          .download(wheel.requirement(), options, folder, progress);
    } catch (IOException e) {
      throw new NativeLibraryException(e.getMessage(), e);
    }
  }

  private void unpack(LockedWheel wheel, Path archive, Path folder) throws IOException {
    String hash = HexFormat.of().formatHex(Sha256.of(archive));
    if (!hash.equals(wheel.sha256())) {
      throw new NativeLibraryException(
          archive.getFileName()
              + " was fetched with sha256 "
              + hash
              + ", but natives.lock pins "
              + wheel.sha256()
              + ": it was changed on the way or in the package index, and is not used.");
    }
    progress.accept("Unpacking " + wheel + " into " + folder + " ...");
    try (ZipFile zip = new ZipFile(archive.toFile())) {
      for (ZipEntry entry : zip.stream().sorted(Comparator.comparing(ZipEntry::getName)).toList()) {
        if (!entry.isDirectory() && wheel.unpacks(entry.getName())) {
          Path target = folder.resolve(entry.getName()).normalize();
          if (!target.startsWith(folder)) {
            throw new NativeLibraryException(
                archive.getFileName() + " holds a file outside of its folder: " + entry.getName());
          }
          try (InputStream in = zip.getInputStream(entry)) {
            write(in, target);
          }
        }
      }
    }
    write(
        new ByteArrayInputStream(contents(wheel).getBytes(StandardCharsets.UTF_8)),
        marker(folder, wheel));
  }

  private static void write(InputStream in, Path target) throws IOException {
    Files.createDirectories(target.getParent());
    Path part = target.resolveSibling(target.getFileName() + ".part");
    Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
    Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void deleteTree(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(file);
        }
      }
    }
  }
}
