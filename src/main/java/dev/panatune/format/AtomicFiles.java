package dev.panatune.format;

import dev.panatune.error.PanatuneException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Saves single files so that a reader, or the next start after a crash or a full disk, sees the old
 * content or the whole new one, never a part.
 *
 * <p>The content goes to a temporary file beside the target, is put on the disk (fsync), takes the
 * target's name in one rename, and the rename is put on the disk too. Missing parent directories
 * are made. Every failure is a {@link PanatuneException} that names the file, says why (a full disk
 * in plain words) and leaves what was there before.
 *
 * <p>For files that belong together see {@link AtomicDirectory}.
 */
public final class AtomicFiles {
  private AtomicFiles() {}

  /** Produces the content of a file. */
  @FunctionalInterface
  public interface Content {
    /** Writes everything to {@code out}, which is buffered; to close it or not is the same. */
    void writeTo(OutputStream out) throws IOException;
  }

  /** Saves {@code content} as {@code target}. */
  public static void write(Path target, Content content) {
    write(target, content, ChannelOpener.NEW_FILE);
  }

  /** Saves {@code content} as {@code target}. */
  public static void write(Path target, byte[] content) {
    write(target, out -> out.write(content));
  }

  /** Saves {@code content} in UTF-8 as {@code target}. */
  public static void writeString(Path target, String content) {
    write(target, content.getBytes(StandardCharsets.UTF_8));
  }

  static void write(Path target, Content content, ChannelOpener opener) {
    try (PendingFile file = PendingFile.create(target, opener)) {
      try {
        OutputStream out = new UnclosedStream(file.stream());
        content.writeTo(out);
        out.flush();
      } catch (IOException e) {
        throw StorageFailure.of("write", target, e);
      }
      file.commit();
    }
  }

  /** Stays open when a JSON or image writer closes it: the file is still to be put on the disk. */
  private static final class UnclosedStream extends BufferedOutputStream {
    private UnclosedStream(OutputStream out) {
      super(out, 1 << 16);
    }

    @Override
    public void close() throws IOException {
      flush();
    }
  }
}
