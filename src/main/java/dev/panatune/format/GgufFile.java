package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.Map;

/**
 * A GGUF file (version 2 or 3, little-endian) whose header has been read and checked in full. The
 * data is not touched, and no file stays open.
 */
public final class GgufFile {
  private final Path path;
  private final int version;
  private final Map<String, Object> metadata;
  private final Map<String, GgufTensorInfo> tensors;

  private GgufFile(Path path, GgufHeader header) {
    this.path = path;
    this.version = header.version();
    this.metadata = Collections.unmodifiableMap(header.metadata());
    this.tensors = Collections.unmodifiableMap(header.tensors());
  }

  /**
   * Reads the header of {@code path}.
   *
   * @throws FormatException if the file is missing, truncated, contradictory, or of a version that
   *     is not read; the message names the tensor or field
   */
  public static GgufFile open(Path path) {
    try (RegularFile file = RegularFile.open(path)) {
      return new GgufFile(path, GgufHeader.read(file, HeapBudget.standard()));
    }
  }

  /** Returns the path as it was given. */
  public Path path() {
    return path;
  }

  /** Returns the version of the format, 2 or 3. */
  public int version() {
    return version;
  }

  /**
   * Returns the metadata in file order. Values are {@code String}, {@code Boolean}, {@code Long}
   * (all whole numbers; {@code BigInteger} over 2^63 - 1), {@code Double} (all others), or a {@code
   * List} of one of these.
   */
  public Map<String, Object> metadata() {
    return metadata;
  }

  /** Returns the tensors by name, in file order. */
  public Map<String, GgufTensorInfo> tensors() {
    return tensors;
  }

  /**
   * Returns the description of one tensor.
   *
   * @throws FormatException if there is none of that name
   */
  public GgufTensorInfo tensor(String name) {
    GgufTensorInfo info = tensors.get(name);
    if (info == null) {
      throw new FormatException(SafetensorsFile.missing(name, Printable.path(path), tensors));
    }
    return info;
  }

  /**
   * Maps the data of one tensor, as it is stored, into memory, read-only, until {@code arena} is
   * closed. If another process shortens the file meanwhile, an access throws {@link InternalError}.
   *
   * @throws FormatException if there is no tensor of that name
   */
  public MemorySegment map(String name, Arena arena) {
    GgufTensorInfo info = tensor(name);
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      return channel.map(FileChannel.MapMode.READ_ONLY, info.offset(), info.byteSize(), arena);
    } catch (IOException e) {
      throw StorageFailure.of("map", path, e);
    }
  }
}
