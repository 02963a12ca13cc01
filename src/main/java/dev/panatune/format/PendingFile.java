package dev.panatune.format;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * A file that is written under a temporary name beside its target and takes the target's name when
 * it is complete and on the disk. Closed before {@link #commit()}, it leaves nothing.
 */
final class PendingFile implements AutoCloseable {
  /** What one write() passes on at most: the buffers of ByteBuffer end at 2 GB. */
  private static final long PIECE = 16L << 20;

  private final Path target;
  private final Path temporary;
  private final FileChannel channel;
  private boolean committed;

  private PendingFile(Path target, Path temporary, FileChannel channel) {
    this.target = target;
    this.temporary = temporary;
    this.channel = channel;
  }

  /** Begins the file; missing parent directories are made. */
  static PendingFile create(Path target, ChannelOpener opener) {
    Path absolute = target.toAbsolutePath();
    Path temporary = TemporaryName.beside(absolute);
    try {
      if (Files.isDirectory(absolute)) {
        throw new IOException("it is a directory");
      }
      Files.createDirectories(absolute.getParent());
      return new PendingFile(absolute, temporary, opener.open(temporary));
    } catch (IOException e) {
      throw StorageFailure.of("write", target, e);
    }
  }

  Path target() {
    return target;
  }

  /** Writes all of {@code bytes} at {@code position}. */
  void write(ByteBuffer bytes, long position) {
    try {
      long at = position;
      while (bytes.hasRemaining()) {
        at += channel.write(bytes, at);
      }
    } catch (IOException e) {
      throw StorageFailure.of("write", target, e);
    }
  }

  /** Writes all of {@code data} at {@code position}. */
  void write(MemorySegment data, long position) {
    for (long at = 0; at < data.byteSize(); at += PIECE) {
      long length = Math.min(PIECE, data.byteSize() - at);
      write(bytes(data.asSlice(at, length)), position + at);
    }
  }

  /** Returns a view of native memory, a copy of a Java array. */
  private static ByteBuffer bytes(MemorySegment piece) {
    return piece.isNative()
        ? piece.asByteBuffer()
        : ByteBuffer.wrap(piece.toArray(ValueLayout.JAVA_BYTE));
  }

  /** Returns a stream that appends; what it throws is an {@link IOException} of this file. */
  OutputStream stream() {
    return Channels.newOutputStream(channel);
  }

  /** Puts the content on the disk and gives it the target's name. */
  void commit() {
    try {
      channel.force(true);
      channel.close();
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      committed = true;
      Trees.syncOne(target.getParent());
    } catch (IOException e) {
      throw StorageFailure.of("write", target, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
      if (!committed) {
        Files.deleteIfExists(temporary);
      }
    } catch (IOException e) {
      throw StorageFailure.of("remove", temporary, e);
    }
  }
}
