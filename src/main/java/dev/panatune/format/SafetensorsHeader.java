package dev.panatune.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads and checks the header of a safetensors file: one pass over the JSON as it streams in, in
 * memory bounded by {@link HeapBudget}, then one pass over the ranges in order.
 */
final class SafetensorsHeader {
  static final String METADATA_KEY = "__metadata__";
  static final int LENGTH_BYTES = 8;
  static final int MAX_HEADER_BYTES = 100_000_000;

  /** More than any library's tensors can have; without it a shape could be 50 million long. */
  private static final int MAX_RANK = 64;

  /** The map's entry, the record, the array and the string headers of one tensor. */
  private static final int TENSOR_HEAP_BYTES = 160;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder().maxNestingDepth(100).maxStringLength(4 << 20).build())
          .build();

  private final RegularFile file;
  private final HeapBudget budget;
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
  private boolean metadataSeen;
  private long dataStart;

  private SafetensorsHeader(RegularFile file, HeapBudget budget) {
    this.file = file;
    this.budget = budget;
  }

  static SafetensorsHeader read(RegularFile file, HeapBudget budget) {
    file.requireNoLfsPointer();
    SafetensorsHeader header = new SafetensorsHeader(file, budget);
    header.parse(header.length());
    header.checkRanges();
    return header;
  }

  Map<String, String> metadata() {
    return metadata;
  }

  /** Returns the tensors in the order of their data. */
  Map<String, TensorInfo> tensors() {
    return tensors;
  }

  private long length() {
    if (file.size() < LENGTH_BYTES) {
      throw bad(
          "has "
              + file.size()
              + " bytes, which is too short for a safetensors file; copy it again");
    }
    ByteBuffer bytes = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    file.read(bytes, 0);
    long length = bytes.getLong(0);
    if (length < 0 || length > MAX_HEADER_BYTES) {
      throw bad(
          "is no safetensors file, or damaged: its header would have "
              + Long.toUnsignedString(length)
              + " bytes; at most "
              + MAX_HEADER_BYTES
              + " are allowed");
    }
    dataStart = LENGTH_BYTES + length;
    if (dataStart > file.size()) {
      throw bad(
          "is truncated: its header ends at byte "
              + dataStart
              + ", and the file at "
              + file.size()
              + "; copy it again");
    }
    return length;
  }

  private void parse(long length) {
    try (JsonParser json =
        JSON.createParser(StrictUtf8.reader(file.stream(LENGTH_BYTES, length)))) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw bad("has a header that is no JSON object");
      }
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String name = json.currentName();
        json.nextToken();
        if (name.equals(METADATA_KEY)) {
          parseMetadata(json);
        } else {
          parseTensor(json, name);
        }
      }
      if (json.nextToken() != null) {
        throw bad("has text after the JSON object of its header");
      }
    } catch (CharacterCodingException e) {
      throw bad("has a header that is not UTF-8", e);
    } catch (JsonProcessingException e) {
      throw bad("has a header that is not valid JSON: " + StrictJson.explain(e), e);
    } catch (IOException e) {
      throw bad("has a header that cannot be read: " + e.getMessage(), e);
    }
  }

  private void parseMetadata(JsonParser json) throws IOException {
    if (metadataSeen) {
      throw bad("has two " + METADATA_KEY + " entries");
    }
    metadataSeen = true;
    if (!json.isExpectedStartObjectToken()) {
      throw bad("has a " + METADATA_KEY + " that is no JSON object");
    }
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String key = json.currentName();
      if (json.nextToken() != JsonToken.VALUE_STRING) {
        throw bad("has a value in " + METADATA_KEY + " that is no string: " + quoted(key));
      }
      String value = json.getText();
      if (StrictUtf8.hasLoneSurrogate(value)) {
        throw bad("has text in " + METADATA_KEY + " that is not Unicode: " + quoted(key));
      }
      budget.charge(
          HeapBudget.stringBytes(key.length()) + HeapBudget.stringBytes(value.length()),
          file.path());
      if (metadata.put(key, value) != null) {
        throw bad("has a key twice in " + METADATA_KEY + ": " + quoted(key));
      }
    }
  }

  private void parseTensor(JsonParser json, String name) throws IOException {
    if (!json.isExpectedStartObjectToken()) {
      throw bad("describes the tensor " + quoted(name) + " by something else than an object");
    }
    SafetensorsDtype dtype = null;
    long[] shape = null;
    long[] range = null;
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String field = json.currentName();
      json.nextToken();
      switch (field) {
        case "dtype" -> {
          requireFirst(dtype, name, field);
          dtype = parseDtype(json, name);
        }
        case "shape" -> {
          requireFirst(shape, name, field);
          shape = parseIntegers(json, name, field);
        }
        case "data_offsets" -> {
          requireFirst(range, name, field);
          range = parseIntegers(json, name, field);
        }
        default -> json.skipChildren();
      }
    }
    if (dtype == null || shape == null || range == null) {
      String missing = dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets";
      throw bad("has no " + missing + " for the tensor " + quoted(name));
    }
    add(name, dtype, shape, range);
  }

  private void requireFirst(Object value, String name, String field) {
    if (value != null) {
      throw bad("has " + field + " twice for the tensor " + quoted(name));
    }
  }

  private SafetensorsDtype parseDtype(JsonParser json, String name) throws IOException {
    String text = json.currentToken() == JsonToken.VALUE_STRING ? json.getText() : "not a string";
    return SafetensorsDtype.find(text)
        .orElseThrow(() ->
            bad(
                "has an unknown dtype for the tensor "
                    + quoted(name)
                    + ": "
                    + quoted(text)
                    + "; known are "
                    + Arrays.toString(SafetensorsDtype.values())));
  }

  private long[] parseIntegers(JsonParser json, String name, String field) throws IOException {
    if (!json.isExpectedStartArrayToken()) {
      throw bad("has no list as " + field + " of the tensor " + quoted(name));
    }
    long[] values = new long[MAX_RANK];
    int count = 0;
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (count == MAX_RANK) {
        throw bad(
            "has more than "
                + MAX_RANK
                + " numbers as "
                + field
                + " of the tensor "
                + quoted(name));
      }
      values[count++] = parseInteger(json, name, field);
    }
    return Arrays.copyOf(values, count);
  }

  private long parseInteger(JsonParser json, String name, String field) throws IOException {
    String text = json.getText();
    if (json.currentToken() != JsonToken.VALUE_NUMBER_INT || text.startsWith("-")) {
      throw bad(
          "has something else than a whole number, 0 or more, in "
              + field
              + " of the tensor "
              + quoted(name)
              + ": "
              + quoted(text));
    }
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw bad(
          "has a number over 2^63 - 1 in " + field + " of the tensor " + quoted(name) + ": " + text,
          e);
    }
  }

  private void add(String name, SafetensorsDtype dtype, long[] shape, long[] range) {
    if (range.length != 2 || range[0] > range[1]) {
      throw bad(
          "has data_offsets that are no range for the tensor "
              + quoted(name)
              + ": "
              + Arrays.toString(range));
    }
    long size;
    try {
      size = dtype.byteSize(shape);
    } catch (ArithmeticException e) {
      throw bad(
          "has an impossible size for the tensor "
              + describe(name, dtype, shape)
              + ": "
              + e.getMessage(),
          e);
    }
    if (range[1] - range[0] != size) {
      throw bad(
          "gives "
              + (range[1] - range[0])
              + " bytes to the tensor "
              + describe(name, dtype, shape)
              + ", which needs "
              + size);
    }
    if (range[1] > file.size() - dataStart) {
      throw bad(
          "is truncated: the tensor "
              + describe(name, dtype, shape)
              + " ends at byte "
              + range[1]
              + " of the data, which has "
              + (file.size() - dataStart)
              + "; copy it again");
    }
    budget.charge(
        TENSOR_HEAP_BYTES + HeapBudget.stringBytes(name.length()) + 8L * shape.length, file.path());
    TensorInfo info = new TensorInfo(name, dtype.name(), shape, dataStart + range[0], size);
    if (tensors.put(name, info) != null) {
      throw bad("describes the tensor " + quoted(name) + " twice");
    }
  }

  private void checkRanges() {
    List<TensorInfo> inOrder = new ArrayList<>(tensors.values());
    inOrder.sort(
        Comparator.comparingLong(TensorInfo::offset).thenComparingLong(TensorInfo::byteSize));
    long end = dataStart;
    for (TensorInfo tensor : inOrder) {
      if (tensor.offset() != end) {
        throw bad(
            "has "
                + (tensor.offset() < end ? "an overlap" : "a gap")
                + " before the tensor "
                + quoted(tensor.name())
                + ": it begins at byte "
                + (tensor.offset() - dataStart)
                + " of the data where "
                + (end - dataStart)
                + " is due");
      }
      end += tensor.byteSize();
    }
    if (end != file.size()) {
      throw bad("has " + (file.size() - end) + " bytes after its last tensor; it is damaged");
    }
    tensors.clear();
    inOrder.forEach(tensor -> tensors.put(tensor.name(), tensor));
  }

  private static String describe(String name, SafetensorsDtype dtype, long[] shape) {
    return quoted(name) + " (" + dtype + " " + Arrays.toString(shape) + ")";
  }

  private static String quoted(String text) {
    return Printable.quoted(text);
  }

  private FormatException bad(String what) {
    return new FormatException(Printable.path(file.path()) + " " + what);
  }

  private FormatException bad(String what, Exception cause) {
    return new FormatException(Printable.path(file.path()) + " " + what, cause);
  }
}
