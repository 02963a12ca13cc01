package dev.panatune.natives;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Python's package client, used as a downloader: it knows mirrors, proxies and certificates. */
public final class Pip {
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
   * Finds a pip that runs; empty if there is none.
   *
   * @throws IOException if it was interrupted
   */
  public static Optional<Pip> find() throws IOException {
    for (List<String> command : COMMANDS) {
      if (runs(command)) {
        return Optional.of(new Pip(command));
      }
    }
    return Optional.empty();
  }

  private static boolean runs(List<String> command) throws InterruptedIOException {
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
    } catch (InterruptedException _) {
      throw interrupted("looking for pip");
    }
  }

  /**
   * Downloads one wheel, without what it depends on, into an empty folder that pip also uses for
   * its temporary files.
   *
   * @param requirement as a line of pip's requirements file; with a hash, pip checks it
   * @param options of {@code pip download} that choose among the wheels
   * @param progress takes lines that say how far it is
   * @return the wheel
   * @throws IOException with pip's own words if it fails
   */
  public Path download(
      String requirement, List<String> options, Path folder, Consumer<String> progress)
      throws IOException {
    String what = requirement.split(" ", 2)[0];
    Path requirements = Files.writeString(folder.resolve(REQUIREMENTS), requirement);
    Path log = folder.resolve(LOG);
    List<String> arguments = new ArrayList<>(command);
    arguments.addAll(
        List.of("--disable-pip-version-check", "--no-input", "--no-cache-dir", "download"));
    arguments.addAll(List.of("--no-deps", "--only-binary=:all:", "--progress-bar=off"));
    arguments.addAll(options);
    arguments.addAll(List.of("--dest", folder.toString()));
    arguments.addAll(List.of("--requirement", requirements.toString()));
    ProcessBuilder builder =
        new ProcessBuilder(arguments).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().put("TMPDIR", folder.toString());
    Process process = builder.start();
    process.getOutputStream().close();
    int status = waitFor(process, what, folder, progress);
    if (status != 0) {
      throw new IOException(
          "pip could not fetch "
              + what
              + " (exit code "
              + status
              + "). Its last words: "
              + lastWords(log));
    }
    return onlyWheelIn(folder, what);
  }

  private static Path onlyWheelIn(Path folder, String what) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(f -> f.getFileName().toString().endsWith(".whl"))
          .findFirst()
          .orElseThrow(
              () -> new IOException("pip said that it fetched " + what + ", but did not."));
    }
  }

  private static int waitFor(Process process, String what, Path folder, Consumer<String> progress)
      throws IOException {
    try {
      long reported = 0;
      while (!process.waitFor(1, TimeUnit.SECONDS)) {
        long bytes = bytesIn(folder);
        if (bytes - reported >= REPORT_EVERY) {
          reported = bytes;
          progress.accept("  " + what + ": " + bytes / 1_000_000 + " MB");
        }
      }
      return process.exitValue();
    } catch (InterruptedException _) {
      throw interrupted("fetching " + what);
    } finally {
      process.destroy();
    }
  }

  private static InterruptedIOException interrupted(String doing) {
    Thread.currentThread().interrupt();
    return new InterruptedIOException("Interrupted while " + doing + ".");
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
