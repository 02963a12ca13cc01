package dev.panatune.format;

import dev.panatune.error.FormatException;
import dev.panatune.error.Suggestion;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.Map;

/**
 * A safetensors file whose header has been read and checked in full: the ranges of the tensors fit
 * their types and shapes, follow each other without gap or overlap, and end with the file. The data
 * is not touched, and no file stays open.
 */
public final class SafetensorsFile {
  private final Path path;
  private final Map<String, String> metadata;
  private final Map<String, TensorInfo> tensors;

  private SafetensorsFile(Path path, SafetensorsHeader header) {
    this.path = path;
    this.metadata = Collections.unmodifiableMap(header.metadata());
    this.tensors = Collections.unmodifiableMap(header.tensors());
  }

  /**
   * Reads the header of {@code path}.
   *
   * @throws FormatException if the file is missing, truncated, contradictory, or describes more
   *     than any real model has; the message names the tensor or field
   */
  public static SafetensorsFile open(Path path) {
    return open(path, HeapBudget.standard());
  }

  static SafetensorsFile open(Path path, HeapBudget budget) {
    try (RegularFile file = RegularFile.open(path)) {
      return new SafetensorsFile(path, SafetensorsHeader.read(file, budget));
    }
  }

  /** Returns the path as it was given. */
  public Path path() {
    return path;
  }

  /** Returns the {@code __metadata__} strings; empty if there are none. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** Returns the tensors by name, in the order of their data. */
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  /**
   * Returns the description of one tensor.
   *
   * @throws FormatException if there is none of that name
   */
  public TensorInfo tensor(String name) {
    TensorInfo info = tensors.get(name);
    if (info == null) {
      throw new FormatException(missing(name, Printable.path(path), tensors));
    }
    return info;
  }

  /**
   * Maps the data of one tensor into memory, read-only, until {@code arena} is closed. If another
   * process shortens the file meanwhile, an access throws {@link InternalError}.
   *
   * @throws FormatException if there is no tensor of that name
   */
  public MemorySegment map(String name, Arena arena) {
    TensorInfo info = tensor(name);
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      return channel.map(FileChannel.MapMode.READ_ONLY, info.offset(), info.byteSize(), arena);
    } catch (IOException e) {
      throw StorageFailure.of("map", path, e);
    }
  }

  static String missing(String name, String where, Map<String, ?> tensors) {
    return where
        + " has no tensor "
        + Printable.quoted(name)
        + Suggestion.nearest(name, tensors.keySet())
            .map(near -> "; did you mean " + Printable.quoted(near) + "?")
            .orElse(" among its " + tensors.size());
  }
}
