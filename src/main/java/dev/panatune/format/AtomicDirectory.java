package dev.panatune.format;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Saves a directory (a checkpoint, a merged model) so that it is there whole or not at all, also
 * after {@code kill -9}, a power cut or a full disk.
 *
 * <pre>{@code
 * try (AtomicDirectory saving = AtomicDirectory.create(output.resolve("checkpoint-20"))) {
 *   model.save(saving.path());
 *   saving.commit();
 * }
 * ...
 * Manifest.verify(output.resolve("checkpoint-20")); // throws if it is damaged
 * }</pre>
 *
 * <p>The files are written by any means below {@link #path()}, a hidden directory beside the
 * target. {@link #commit()} puts them on the disk, then {@link Manifest} with their sizes and
 * SHA-256 as the last file, then renames the directory to its target and puts the rename on the
 * disk. Closed without a commit, it leaves nothing; after a kill the hidden directory stays until
 * {@link #removeLeftovers}.
 *
 * <p>A target that exists is replaced only if it is empty or if all it holds is in its manifest: it
 * is moved aside, and deleted when the new one stands. A kill between these two renames leaves no
 * directory of that name, so a name that must always be there should not be replaced.
 */
public final class AtomicDirectory implements AutoCloseable {
  private final Path target;
  private final Path temporary;
  private boolean committed;

  private AtomicDirectory(Path target, Path temporary) {
    this.target = target;
    this.temporary = temporary;
  }

  /**
   * Begins a directory; missing parents are made.
   *
   * @throws ConfigurationException if the target holds files that its manifest does not name
   */
  public static AtomicDirectory create(Path target) {
    Path absolute = target.toAbsolutePath().normalize();
    requireReplaceable(absolute);
    Path temporary = TemporaryName.beside(absolute);
    try {
      Files.createDirectories(absolute.getParent());
      Files.createDirectory(temporary);
    } catch (IOException e) {
      throw StorageFailure.of("write", target, e);
    }
    return new AtomicDirectory(absolute, temporary);
  }

  /** Returns the directory to write into. */
  public Path path() {
    return temporary;
  }

  /** Makes what was written the target. Call it once, after the last file is closed. */
  public void commit() {
    if (committed) {
      throw new IllegalStateException(target + " is already committed");
    }
    Manifest manifest = Manifest.of(temporary);
    try {
      Trees.sync(temporary);
      manifest.write(temporary);
      replaceTarget();
      committed = true;
      Trees.syncOne(target.getParent());
    } catch (IOException e) {
      throw StorageFailure.of("write", target, e);
    }
  }

  /** Deletes what was written, if it was not committed. */
  @Override
  public void close() {
    if (committed) {
      return;
    }
    try {
      Trees.delete(temporary);
    } catch (IOException e) {
      throw StorageFailure.of("remove", temporary, e);
    }
  }

  /**
   * Deletes a directory with all it holds; nothing there is fine. It is renamed to a hidden name
   * first, so that a kill in between leaves no part of it under its own name.
   */
  public static void delete(Path directory) {
    Path absolute = directory.toAbsolutePath().normalize();
    if (!Files.exists(absolute, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    Path hidden = TemporaryName.beside(absolute);
    try {
      Files.move(absolute, hidden, StandardCopyOption.ATOMIC_MOVE);
      Trees.delete(hidden);
    } catch (IOException e) {
      throw StorageFailure.of("remove", directory, e);
    }
  }

  /**
   * Deletes the hidden files and directories that killed processes left in {@code directory}; those
   * of living processes stay.
   */
  public static void removeLeftovers(Path directory) {
    if (!Files.isDirectory(directory)) {
      return;
    }
    try {
      TemporaryName.removeLeftovers(directory);
    } catch (IOException e) {
      throw StorageFailure.of("clean up", directory, e);
    }
  }

  private void replaceTarget() throws IOException {
    if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      return;
    }
    Path replaced = TemporaryName.beside(target);
    Files.move(target, replaced, StandardCopyOption.ATOMIC_MOVE);
    try {
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      Files.move(replaced, target, StandardCopyOption.ATOMIC_MOVE);
      throw e;
    }
    Trees.delete(replaced);
  }

  private static void requireReplaceable(Path target) {
    if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    if (!Files.isDirectory(target, LinkOption.NOFOLLOW_LINKS)) {
      throw new ConfigurationException(
          Printable.path(target) + " exists and is no directory; remove it or choose another name");
    }
    try {
      if (isEmpty(target)) {
        return;
      }
      Manifest manifest = manifestOf(target);
      for (Path file : Trees.files(target)) {
        String name = Manifest.name(target, file);
        if (!name.equals(Manifest.FILE_NAME) && !manifest.files().containsKey(name)) {
          throw notOurs(target, name, null);
        }
      }
    } catch (IOException e) {
      throw StorageFailure.of("read", target, e);
    }
  }

  private static boolean isEmpty(Path directory) throws IOException {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      return !entries.iterator().hasNext();
    }
  }

  private static Manifest manifestOf(Path target) {
    try {
      return Manifest.read(target);
    } catch (FormatException e) {
      throw notOurs(target, null, e);
    }
  }

  private static ConfigurationException notOurs(Path target, String name, Exception cause) {
    return new ConfigurationException(
        Printable.path(target)
            + " exists and holds files that Panatune did not save there"
            + (name == null ? "" : " (" + Printable.quoted(name) + ")")
            + "; choose another directory, or remove it first",
        cause);
  }
}
