package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * An outside file, opened for reading by position. Pipes and devices, which would block or never
 * end, are refused, and a file that shrinks while it is read ends in an error, not in a fault.
 */
final class RegularFile implements AutoCloseable {
  private static final byte[] LFS_START =
      "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);
  private static final int LFS_LARGEST = 1024;

  private final Path path;
  private final FileChannel channel;
  private final long size;

  private RegularFile(Path path, FileChannel channel, long size) {
    this.path = path;
    this.channel = channel;
    this.size = size;
  }

  static RegularFile open(Path path) {
    if (!Files.exists(path)) {
      throw new FormatException(
          Printable.path(path) + " does not exist; check the path for a slip");
    }
    if (!Files.isRegularFile(path)) {
      throw new FormatException(
          Printable.path(path)
              + " is "
              + (Files.isDirectory(path) ? "a directory" : "a pipe or a device")
              + "; a regular file is needed here");
    }
    try {
      FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
      return new RegularFile(path, channel, channel.size());
    } catch (IOException e) {
      throw StorageFailure.of("read", path, e);
    }
  }

  Path path() {
    return path;
  }

  /** Returns the size in bytes when it was opened. */
  long size() {
    return size;
  }

  FileChannel channel() {
    return channel;
  }

  /** Refuses what a clone without Git LFS has in place of large files. */
  void requireNoLfsPointer() {
    if (size > LFS_LARGEST || size < LFS_START.length) {
      return;
    }
    ByteBuffer start = ByteBuffer.allocate(LFS_START.length);
    read(start, 0);
    if (Arrays.equals(start.array(), LFS_START)) {
      throw new FormatException(
          Printable.path(path)
              + " is a Git LFS pointer, not the file itself; run git lfs pull where it came from");
    }
  }

  /** Fills {@code target} from {@code position}; the caller has checked that the bytes exist. */
  void read(ByteBuffer target, long position) {
    try {
      long at = position;
      while (target.hasRemaining()) {
        int count = channel.read(target, at);
        if (count < 0) {
          throw new IOException("the file became shorter while it was read");
        }
        at += count;
      }
    } catch (IOException e) {
      throw StorageFailure.of("read", path, e);
    }
  }

  /** Returns a stream over {@code length} bytes from {@code offset}. */
  InputStream stream(long offset, long length) {
    return new InputStream() {
      private long position = offset;

      @Override
      public int read() {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
      }

      @Override
      public int read(byte[] target, int start, int count) {
        long left = offset + length - position;
        if (left == 0) {
          return -1;
        }
        int wanted = (int) Math.min(left, count);
        RegularFile.this.read(ByteBuffer.wrap(target, start, wanted), position);
        position += wanted;
        return wanted;
      }
    };
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw StorageFailure.of("close", path, e);
    }
  }
}
