package dev.panatune.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import dev.panatune.error.PanatuneException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a safetensors file tensor by tensor, without holding more than the caller does.
 *
 * <pre>{@code
 * try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, Map.of("format", "pt"))) {
 *   for (TensorSpec spec : specs) {
 *     writer.append(spec.name(), data(spec));
 *   }
 *   writer.commit();
 * }
 * }</pre>
 *
 * <p>All tensors are declared first, then their data comes in any order, each once. The layout is
 * that of Python's writer (by type, the widest first, then by name; header padded to 8 bytes with
 * spaces), so that the same tensors give the same file. The file appears under its name with {@link
 * #commit()}, whole and on the disk; closed before, nothing of it stays. A full disk is a {@link
 * PanatuneException} that says so. Not for use by several threads at once.
 */
public final class SafetensorsWriter implements AutoCloseable {
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(JsonWriteFeature.COMBINE_UNICODE_SURROGATES_IN_UTF8).build();

  private final PendingFile file;
  private final Map<String, TensorInfo> missing;

  private SafetensorsWriter(PendingFile file, Map<String, TensorInfo> missing) {
    this.file = file;
    this.missing = missing;
  }

  /**
   * Begins a file.
   *
   * @param target the file's path; missing parent directories are made
   * @param tensors all tensors that it will hold
   * @param metadata the {@code __metadata__} strings; PEFT and transformers want {@code format: pt}
   * @throws IllegalArgumentException if a name is there twice or is {@code __metadata__}, or a
   *     shape is negative or overflows
   */
  public static SafetensorsWriter create(
      Path target, Collection<TensorSpec> tensors, Map<String, String> metadata) {
    return create(target, tensors, metadata, ChannelOpener.NEW_FILE);
  }

  static SafetensorsWriter create(
      Path target,
      Collection<TensorSpec> tensors,
      Map<String, String> metadata,
      ChannelOpener opener) {
    Map<String, TensorInfo> relative = layOut(tensors);
    byte[] header = header(relative.values(), metadata);
    Map<String, TensorInfo> placed = new LinkedHashMap<>();
    relative.forEach((name, info) -> placed.put(name, moved(info, header.length)));
    PendingFile file = PendingFile.create(target, opener);
    try {
      file.write(ByteBuffer.wrap(header), 0);
      return new SafetensorsWriter(file, placed);
    } catch (PanatuneException e) {
      file.close();
      throw e;
    }
  }

  /**
   * Writes the data of one tensor.
   *
   * @param data its bytes, row-major and little-endian; exactly as many as type and shape need
   * @throws IllegalArgumentException if it was not declared, was written already, or has another
   *     size
   */
  public void append(String name, MemorySegment data) {
    TensorInfo info = missing.get(name);
    if (info == null) {
      throw new IllegalArgumentException(
          "the tensor " + Printable.quoted(name) + " was not declared, or is already written");
    }
    if (data.byteSize() != info.byteSize()) {
      throw new IllegalArgumentException(
          "the tensor " + info + " is given " + data.byteSize() + " bytes");
    }
    file.write(data, info.offset());
    missing.remove(name);
  }

  /**
   * Puts the file on the disk and gives it its name.
   *
   * @throws IllegalStateException if a declared tensor was not written; it is named
   */
  public void commit() {
    if (!missing.isEmpty()) {
      throw new IllegalStateException(
          Printable.path(file.target())
              + " lacks the data of "
              + missing.size()
              + " tensors, the first of them "
              + missing.values().iterator().next());
    }
    file.commit();
  }

  /** Deletes what was written, if it was not committed. */
  @Override
  public void close() {
    file.close();
  }

  /** Returns the tensors in Python's order, with offsets from the start of the data. */
  private static Map<String, TensorInfo> layOut(Collection<TensorSpec> tensors) {
    List<TensorSpec> inOrder = new ArrayList<>(tensors);
    inOrder.sort(
        Comparator.comparing(TensorSpec::dtype)
            .reversed()
            .thenComparing(TensorSpec::name, SafetensorsWriter::compareAsUtf8));
    Map<String, TensorInfo> result = new LinkedHashMap<>();
    long offset = 0;
    for (TensorSpec spec : inOrder) {
      if (spec.name().equals(SafetensorsHeader.METADATA_KEY)
          || StrictUtf8.hasLoneSurrogate(spec.name())) {
        throw new IllegalArgumentException(
            "a tensor cannot be named " + Printable.quoted(spec.name()));
      }
      long size = byteSize(spec);
      TensorInfo info =
          new TensorInfo(spec.name(), spec.dtype().name(), spec.shape().clone(), offset, size);
      if (result.put(spec.name(), info) != null) {
        throw new IllegalArgumentException(
            "two tensors are named " + Printable.quoted(spec.name()));
      }
      offset += size;
    }
    return result;
  }

  private static long byteSize(TensorSpec spec) {
    if (Arrays.stream(spec.shape()).anyMatch(dimension -> dimension < 0)) {
      throw new IllegalArgumentException("negative dimension: " + spec);
    }
    try {
      return spec.dtype().byteSize(spec.shape());
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "impossible size of " + spec.name() + Arrays.toString(spec.shape()), e);
    }
  }

  /** Rust's order of strings; Java's differs beyond the basic plane. */
  private static int compareAsUtf8(String a, String b) {
    return Arrays.compareUnsigned(
        a.getBytes(StandardCharsets.UTF_8), b.getBytes(StandardCharsets.UTF_8));
  }

  private static TensorInfo moved(TensorInfo info, long dataStart) {
    return new TensorInfo(
        info.name(), info.dtype(), info.shape(), info.offset() + dataStart, info.byteSize());
  }

  /** Returns the length field and the JSON. */
  private static byte[] header(Collection<TensorInfo> tensors, Map<String, String> metadata) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(new byte[SafetensorsHeader.LENGTH_BYTES]);
    try (JsonGenerator json = JSON.createGenerator(out)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart(SafetensorsHeader.METADATA_KEY);
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
          json.writeStringField(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
      }
      for (TensorInfo tensor : tensors) {
        json.writeObjectFieldStart(tensor.name());
        json.writeStringField("dtype", tensor.dtype());
        json.writeFieldName("shape");
        json.writeArray(tensor.shape(), 0, tensor.shape().length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {tensor.offset(), tensor.offset() + tensor.byteSize()}, 0, 2);
        json.writeEndObject();
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new IllegalArgumentException("a name cannot be written as JSON", e);
    }
    while (out.size() % SafetensorsHeader.LENGTH_BYTES != 0) {
      out.write(' ');
    }
    int length = out.size() - SafetensorsHeader.LENGTH_BYTES;
    if (length > SafetensorsHeader.MAX_HEADER_BYTES) {
      throw new IllegalArgumentException(
          tensors.size() + " tensors need a header of " + length + " bytes, which is not allowed");
    }
    byte[] bytes = out.toByteArray();
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
    return bytes;
  }
}
