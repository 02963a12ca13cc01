package dev.panatune.format;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads and checks the header of a GGUF file: counts, metadata, tensor descriptions, ranges. */
final class GgufHeader {
  static final int MAGIC = 0x46554747; // "GGUF", read as a little-endian number

  private static final String ALIGNMENT_KEY = "general.alignment";
  private static final long DEFAULT_ALIGNMENT = 32;
  private static final long LARGEST_ALIGNMENT = 1L << 30;
  private static final int LONGEST_KEY = 65_535;
  private static final int LONGEST_TENSOR_NAME = 64;
  private static final int MAX_RANK = 4;

  /** A key's length, one letter, a type and one byte. */
  private static final int LEAST_BYTES_OF_A_PAIR = 14;

  /** A name's length, one letter, a rank, a type and an offset. */
  private static final int LEAST_BYTES_OF_A_TENSOR = 25;

  private static final int ENTRY_HEAP_BYTES = 64;
  private static final int TENSOR_HEAP_BYTES = 160;

  private final GgufCursor cursor;
  private final Map<String, Object> metadata = new LinkedHashMap<>();
  private final Map<String, GgufTensorInfo> tensors = new LinkedHashMap<>();
  private int version;

  private GgufHeader(GgufCursor cursor) {
    this.cursor = cursor;
  }

  static GgufHeader read(RegularFile file, HeapBudget budget) {
    file.requireNoLfsPointer();
    GgufHeader header = new GgufHeader(new GgufCursor(file, budget));
    header.read(file.size());
    return header;
  }

  int version() {
    return version;
  }

  Map<String, Object> metadata() {
    return metadata;
  }

  Map<String, GgufTensorInfo> tensors() {
    return tensors;
  }

  private void read(long fileSize) {
    readVersion();
    long tensorCount = cursor.readCount(LEAST_BYTES_OF_A_TENSOR, "the number of tensors");
    long pairCount = cursor.readCount(LEAST_BYTES_OF_A_PAIR, "the number of metadata keys");
    readMetadata(pairCount);
    long alignment = alignment();
    List<GgufTensorInfo> relative = new ArrayList<>();
    for (long i = 0; i < tensorCount; i++) {
      relative.add(readTensor(alignment));
    }
    long dataStart = Math.ceilDiv(cursor.position(), alignment) * alignment;
    for (GgufTensorInfo tensor : relative) {
      place(tensor, dataStart, fileSize);
    }
    checkOverlaps();
  }

  private void readVersion() {
    int magic = cursor.readInt("the magic number");
    if (magic != MAGIC) {
      throw cursor.bad("is no GGUF file: it does not begin with GGUF");
    }
    version = cursor.readInt("the version");
    if (version != 0 && (version & 0xffff) == 0) {
      throw cursor.bad("is a big-endian GGUF file, which is not read; convert it to little-endian");
    }
    if (version != 2 && version != 3) {
      throw cursor.bad(
          "has GGUF version "
              + Integer.toUnsignedString(version)
              + "; 2 and 3 are read: convert it anew from the original model");
    }
  }

  private void readMetadata(long count) {
    GgufValues values = new GgufValues(cursor);
    for (long i = 0; i < count; i++) {
      String key = cursor.readString(LONGEST_KEY, "the name of metadata key " + i);
      if (key.isEmpty()) {
        throw cursor.bad("has an empty name for metadata key " + i);
      }
      cursor.charge(ENTRY_HEAP_BYTES);
      if (metadata.put(key, values.read("metadata " + Printable.quoted(key))) != null) {
        throw cursor.bad("has the metadata key " + Printable.quoted(key) + " twice");
      }
    }
  }

  private long alignment() {
    Object value = metadata.getOrDefault(ALIGNMENT_KEY, DEFAULT_ALIGNMENT);
    if (value instanceof Long alignment
        && alignment > 0
        && alignment <= LARGEST_ALIGNMENT
        && Long.bitCount(alignment) == 1) {
      return alignment;
    }
    throw cursor.bad(
        "has a " + ALIGNMENT_KEY + " that is no power of two: " + Printable.quoted("" + value));
  }

  /** Returns the tensor with its offset from the start of the data. */
  private GgufTensorInfo readTensor(long alignment) {
    String name = cursor.readString(LONGEST_TENSOR_NAME, "a tensor's name");
    String label = "the tensor " + Printable.quoted(name);
    if (name.isEmpty()) {
      throw cursor.bad("has a tensor without a name");
    }
    int rank = cursor.readInt("the rank of " + label);
    if (rank < 0 || rank > MAX_RANK) {
      throw cursor.bad(
          "has "
              + Integer.toUnsignedString(rank)
              + " dimensions for "
              + label
              + "; at most "
              + MAX_RANK
              + " are allowed");
    }
    long[] shape = new long[rank];
    for (int i = rank - 1; i >= 0; i--) {
      shape[i] = cursor.readLong("the shape of " + label);
    }
    int typeId = cursor.readInt("the type of " + label);
    GgmlType type =
        GgmlType.find(typeId)
            .orElseThrow(() ->
                cursor.bad(
                    "has an unknown type, " + Integer.toUnsignedString(typeId) + ", for " + label));
    long offset = cursor.readLong("the offset of " + label);
    if (offset < 0 || offset % alignment != 0) {
      throw cursor.bad(
          "has an offset for "
              + label
              + " that is no multiple of "
              + alignment
              + ": "
              + Long.toUnsignedString(offset));
    }
    cursor.charge(TENSOR_HEAP_BYTES);
    return new GgufTensorInfo(name, type, shape, offset, byteSize(type, shape, label));
  }

  private long byteSize(GgmlType type, long[] shape, String label) {
    String described = label + " (" + type + " " + Arrays.toString(shape) + ")";
    long elements = 1;
    try {
      for (long dimension : shape) {
        if (dimension < 0) {
          throw new ArithmeticException("negative dimension");
        }
        elements = Math.multiplyExact(elements, dimension);
      }
      long row = shape.length == 0 ? 1 : shape[shape.length - 1];
      if (row % type.blockElements() != 0) {
        throw cursor.bad(
            "has a row of "
                + row
                + " elements in "
                + described
                + ", whose blocks have "
                + type.blockElements());
      }
      return Math.multiplyExact(elements / type.blockElements(), type.blockBytes());
    } catch (ArithmeticException e) {
      throw cursor.bad("has an impossible size for " + described + ": " + e.getMessage());
    }
  }

  private void place(GgufTensorInfo tensor, long dataStart, long fileSize) {
    if (tensor.byteSize() > fileSize - dataStart - tensor.offset()
        || tensor.offset() > fileSize - dataStart) {
      throw cursor.bad(
          "is truncated: the tensor "
              + Printable.quoted(tensor.name())
              + " ("
              + tensor.type()
              + " "
              + Arrays.toString(tensor.shape())
              + ", "
              + tensor.byteSize()
              + " bytes from byte "
              + tensor.offset()
              + " of the data) ends after the file, whose data has "
              + Math.max(0, fileSize - dataStart)
              + " bytes; copy it again");
    }
    GgufTensorInfo placed =
        new GgufTensorInfo(
            tensor.name(),
            tensor.type(),
            tensor.shape(),
            dataStart + tensor.offset(),
            tensor.byteSize());
    if (tensors.put(tensor.name(), placed) != null) {
      throw cursor.bad("describes the tensor " + Printable.quoted(tensor.name()) + " twice");
    }
  }

  private void checkOverlaps() {
    List<GgufTensorInfo> inOrder = new ArrayList<>(tensors.values());
    inOrder.sort(
        Comparator.comparingLong(GgufTensorInfo::offset)
            .thenComparingLong(GgufTensorInfo::byteSize));
    long end = 0;
    for (GgufTensorInfo tensor : inOrder) {
      if (tensor.offset() < end) {
        throw cursor.bad(
            "has tensors that overlap: "
                + Printable.quoted(tensor.name())
                + " begins at byte "
                + tensor.offset()
                + " of the file, before the one in front of it ends at "
                + end);
      }
      end = tensor.offset() + tensor.byteSize();
    }
  }
}
