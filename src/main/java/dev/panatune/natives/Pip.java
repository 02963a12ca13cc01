package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** Python's package client, used as a downloader: it knows mirrors, proxies and certificates. */
final class Pip {
  private static final List<List<String>> COMMANDS =
      List.of(List.of("pip3"), List.of("pip"), List.of("python3", "-m", "pip"));

  private static final String REQUIREMENTS = "requirements.txt";
  private static final String LOG = "pip.log";
  private static final int LINES_OF_AN_ERROR = 4;
  private static final long REPORT_EVERY = 50_000_000;

  private final List<String> command;

  private Pip(List<String> command) {
    this.command = command;
  }

  /**
   * Finds a pip that runs.
   *
   * @throws NativeLibraryException if there is none
   */
  static Pip find() {
    for (List<String> command : COMMANDS) {
      if (runs(command)) {
        return new Pip(command);
      }
    }
    throw new NativeLibraryException(
        "pip is needed to fetch the native libraries, and none was found: install it (Debian:"
            + " apt-get install python3-pip), or point PANATUNE_TORCH at an installed libtorch.");
  }

  private static boolean runs(List<String> command) {
    List<String> version = new ArrayList<>(command);
    version.add("--version");
    try {
      Process process =
          new ProcessBuilder(version)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      process.getOutputStream().close();
      return process.waitFor() == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new NativeLibraryException("Interrupted while looking for pip.", e);
    }
  }

  /**
   * Downloads one wheel, hash checked by pip, into an empty folder that pip also uses for its
   * temporary files.
   *
   * @throws NativeLibraryException with pip's own words if it fails
   */
  void download(LockedWheel wheel, Path folder, Consumer<String> progress) {
    try {
      Path requirements = Files.writeString(folder.resolve(REQUIREMENTS), wheel.requirement());
      Path log = folder.resolve(LOG);
      List<String> arguments = new ArrayList<>(command);
      arguments.addAll(
          List.of("--disable-pip-version-check", "--no-input", "--no-cache-dir", "download"));
      arguments.addAll(List.of("--no-deps", "--only-binary=:all:", "--progress-bar=off"));
      arguments.addAll(List.of("--implementation=cp", "--python-version=3.12", "--abi=cp312"));
      arguments.addAll(List.of("--platform", wheel.pipPlatform()));
      arguments.addAll(List.of("--dest", folder.toString()));
      arguments.addAll(List.of("--requirement", requirements.toString()));
      ProcessBuilder builder =
          new ProcessBuilder(arguments).redirectErrorStream(true).redirectOutput(log.toFile());
      builder.environment().put("TMPDIR", folder.toString());
      Process process = builder.start();
      process.getOutputStream().close();
      int status = waitFor(process, wheel, folder, progress);
      if (status != 0) {
        throw new NativeLibraryException(
            "pip could not fetch "
                + wheel
                + " (exit code "
                + status
                + "). Its last words: "
                + lastWords(log));
      }
    } catch (IOException e) {
      throw new NativeLibraryException(
          "pip could not be run to fetch " + wheel + ": " + e.getMessage(), e);
    }
  }

  private static int waitFor(
      Process process, LockedWheel wheel, Path folder, Consumer<String> progress)
      throws IOException {
    try {
      long reported = 0;
      while (!process.waitFor(1, TimeUnit.SECONDS)) {
        long bytes = bytesIn(folder);
        if (bytes - reported >= REPORT_EVERY) {
          reported = bytes;
          progress.accept("  " + wheel + ": " + bytes / 1_000_000 + " MB");
        }
      }
      return process.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new NativeLibraryException("Interrupted while fetching " + wheel + ".", e);
    } finally {
      process.destroy();
    }
  }

  /** The largest file: what is being fetched. Files come and go while pip works. */
  private static long bytesIn(Path folder) throws IOException {
    AtomicLong bytes = new AtomicLong();
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            bytes.accumulateAndGet(attributes.size(), Math::max);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException e) {
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, IOException e) {
            return FileVisitResult.CONTINUE;
          }
        });
    return bytes.get();
  }

  private static String lastWords(Path log) throws IOException {
    List<String> lines =
        new String(Files.readAllBytes(log), StandardCharsets.UTF_8)
            .lines()
            .map(String::strip)
            .filter(line -> !line.isEmpty())
            .toList();
    return String.join(
        " / ", lines.subList(Math.max(0, lines.size() - LINES_OF_AN_ERROR), lines.size()));
  }
}
