package dev.panatune.format;

import dev.panatune.error.PanatuneException;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes a GGUF file (version 3, little-endian) tensor by tensor, in the order in which the tensors
 * were declared. The file appears under its name with {@link #commit()}, whole and on the disk;
 * closed before, nothing of it stays. Not for use by several threads at once.
 */
public final class GgufWriter implements AutoCloseable {
  private static final int VERSION = 3;
  private static final int ALIGNMENT = 32;

  private static final int UINT32 = 4;
  private static final int INT32 = 5;
  private static final int FLOAT32 = 6;
  private static final int BOOL = 7;
  private static final int STRING = 8;
  private static final int ARRAY = 9;

  private final PendingFile file;
  private final Iterator<GgufTensorSpec> missing;
  private long position;

  private GgufWriter(PendingFile file, Iterator<GgufTensorSpec> missing, long position) {
    this.file = file;
    this.missing = missing;
    this.position = position;
  }

  /**
   * Begins a file.
   *
   * @param target the file's path; missing parent directories are made
   * @param metadata in the order of the file; values are {@code String}, {@code Boolean}, {@code
   *     Integer} (written as uint32), {@code Float}, or a list of {@code String}, {@code Integer}
   *     (int32) or {@code Float}; an empty list is one of strings
   * @param tensors all tensors that it will hold, in the order of their data
   * @throws IllegalArgumentException if a value is of another kind, or a tensor's rows are no
   *     multiple of its type's block, or a name is there twice
   */
  public static GgufWriter create(
      Path target, Map<String, Object> metadata, List<GgufTensorSpec> tensors) {
    byte[] header = header(metadata, tensors);
    PendingFile file = PendingFile.create(target, ChannelOpener.NEW_FILE);
    try {
      file.write(ByteBuffer.wrap(header), 0);
      return new GgufWriter(file, tensors.iterator(), header.length);
    } catch (PanatuneException e) {
      file.close();
      throw e;
    }
  }

  /**
   * Writes the data of the next tensor.
   *
   * @param data its bytes as the type stores them, exactly as many as type and shape need
   * @throws IllegalArgumentException if another tensor is next, or it has another size
   */
  public void append(String name, MemorySegment data) {
    GgufTensorSpec spec = missing.next();
    if (!spec.name().equals(name) || data.byteSize() != spec.byteSize()) {
      throw new IllegalArgumentException(
          "%d bytes are given for %s, but %s with %d is next"
              .formatted(data.byteSize(), name, spec.name(), spec.byteSize()));
    }
    file.write(data, position);
    long end = position + data.byteSize();
    position = aligned(end);
    file.write(ByteBuffer.allocate((int) (position - end)), end);
  }

  /**
   * Puts the file on the disk and gives it its name.
   *
   * @throws IllegalStateException if a declared tensor was not written; it is named
   */
  public void commit() {
    if (missing.hasNext()) {
      throw new IllegalStateException(
          Printable.path(file.target()) + " lacks the data of " + missing.next().name());
    }
    file.commit();
  }

  /** Deletes what was written, if it was not committed. */
  @Override
  public void close() {
    file.close();
  }

  private static byte[] header(Map<String, Object> metadata, List<GgufTensorSpec> tensors) {
    Bytes out = new Bytes();
    out.u32(GgufHeader.MAGIC).u32(VERSION).u64(tensors.size()).u64(metadata.size());
    metadata.forEach((key, value) -> {
      out.string(key);
      value(out, key, value);
    });
    Set<String> names = new LinkedHashSet<>();
    long offset = 0;
    for (GgufTensorSpec tensor : tensors) {
      long[] shape = tensor.shape();
      if (!names.add(tensor.name())
          || shape.length == 0
          || shape[shape.length - 1] % tensor.type().blockElements() != 0) {
        throw new IllegalArgumentException("a tensor cannot be written: " + tensor);
      }
      out.string(tensor.name()).u32(shape.length);
      for (int i = shape.length - 1; i >= 0; i--) {
        out.u64(shape[i]);
      }
      out.u32(tensor.type().id()).u64(offset);
      offset = aligned(offset + tensor.byteSize());
    }
    return out.padded();
  }

  private static void value(Bytes out, String key, Object value) {
    switch (value) {
      case String text -> out.u32(STRING).string(text);
      case Boolean flag -> out.u32(BOOL).u8(flag ? 1 : 0);
      case Integer number -> out.u32(UINT32).u32(number);
      case Float number -> out.u32(FLOAT32).u32(Float.floatToRawIntBits(number));
      case List<?> list -> list(out, key, list);
      default -> throw wrong(key, value);
    }
  }

  private static void list(Bytes out, String key, List<?> list) {
    int kind =
        switch (list.isEmpty() ? "" : list.getFirst()) {
          case String _ -> STRING;
          case Integer _ -> INT32;
          case Float _ -> FLOAT32;
          default -> throw wrong(key, list.getFirst());
        };
    out.u32(ARRAY).u32(kind).u64(list.size());
    for (Object item : list) {
      switch (item) {
        case String text when kind == STRING -> out.string(text);
        case Integer number when kind == INT32 -> out.u32(number);
        case Float number when kind == FLOAT32 -> out.u32(Float.floatToRawIntBits(number));
        default -> throw wrong(key, item);
      }
    }
  }

  private static IllegalArgumentException wrong(String key, Object value) {
    return new IllegalArgumentException(
        "the metadata " + key + " cannot be a " + value.getClass().getSimpleName());
  }

  private static long aligned(long position) {
    return Math.ceilDiv(position, ALIGNMENT) * ALIGNMENT;
  }

  /** The header's fields, one after the other. */
  private static final class Bytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Bytes u8(int value) {
      out.write(value);
      return this;
    }

    Bytes u32(int value) {
      out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
      return this;
    }

    Bytes u64(long value) {
      out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
      return this;
    }

    Bytes string(String text) {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      u64(bytes.length);
      out.writeBytes(bytes);
      return this;
    }

    byte[] padded() {
      out.writeBytes(new byte[(int) (aligned(out.size()) - out.size())]);
      return out.toByteArray();
    }
  }
}
