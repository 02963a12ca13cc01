package dev.panatune.format;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.RandomAccess;

/** Reads the values of GGUF's metadata. */
final class GgufValues {
  /** The kinds of value, in the order of their numbers in the file. */
  private enum Kind {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    STRING(0),
    ARRAY(0),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    private final int bytes;

    Kind(int bytes) {
      this.bytes = bytes;
    }
  }

  /** The largest text that is read: a whole tokenizer.json can have a vocabulary of megabytes. */
  private static final long LONGEST_STRING = 24L << 20;

  /** The largest text in a list, of which there are many. */
  private static final long LONGEST_ELEMENT = 4L << 20;

  private final GgufCursor cursor;

  GgufValues(GgufCursor cursor) {
    this.cursor = cursor;
  }

  /**
   * Reads a kind and a value of it.
   *
   * @param what names the value in errors
   * @return a String, Boolean, Long (BigInteger over 2^63 - 1), Double, or a List of such
   */
  Object read(String what) {
    Kind kind = readKind(what);
    return switch (kind) {
      case STRING -> cursor.readString(LONGEST_STRING, what);
      case ARRAY -> readArray(what);
      default -> readScalar(kind, what);
    };
  }

  private Kind readKind(String what) {
    int number = cursor.readInt("the type of " + what);
    if (number < 0 || number >= Kind.values().length) {
      throw cursor.bad(
          "has an unknown type of value, " + Integer.toUnsignedString(number) + ", in " + what);
    }
    return Kind.values()[number];
  }

  private List<?> readArray(String what) {
    Kind kind = readKind(what);
    String length = "the length of " + what;
    return switch (kind) {
      case ARRAY -> throw cursor.bad("has a list of lists in " + what + ", which is not allowed");
      case STRING -> readStrings(cursor.readCount(Long.BYTES, length), what);
      default -> readNumbers(kind, cursor.readCount(kind.bytes, length), what);
    };
  }

  private List<String> readStrings(long count, String what) {
    List<String> strings = new ArrayList<>();
    for (long i = 0; i < count; i++) {
      strings.add(cursor.readString(LONGEST_ELEMENT, what));
    }
    return Collections.unmodifiableList(strings);
  }

  private List<?> readNumbers(Kind kind, long count, String what) {
    cursor.charge(count * kind.bytes);
    PackedList list =
        new PackedList(kind, cursor.readBytes(Math.toIntExact(count * kind.bytes), what));
    if (kind == Kind.BOOL) {
      list.requireTruthValues(cursor, what);
    }
    return list;
  }

  private Object readScalar(Kind kind, String what) {
    byte[] bytes = cursor.readBytes(kind.bytes, what);
    if (kind == Kind.BOOL) {
      requireTruthValue(bytes[0], cursor, what);
    }
    return value(kind, ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN), 0);
  }

  private static void requireTruthValue(byte value, GgufCursor cursor, String what) {
    if (value != 0 && value != 1) {
      throw cursor.bad("has " + value + " where a truth value is due, in " + what);
    }
  }

  private static Object value(Kind kind, ByteBuffer bytes, int at) {
    return switch (kind) {
      case UINT8 -> Byte.toUnsignedLong(bytes.get(at));
      case INT8 -> (long) bytes.get(at);
      case UINT16 -> Short.toUnsignedLong(bytes.getShort(at));
      case INT16 -> (long) bytes.getShort(at);
      case UINT32 -> Integer.toUnsignedLong(bytes.getInt(at));
      case INT32 -> (long) bytes.getInt(at);
      case FLOAT32 -> (double) bytes.getFloat(at);
      case BOOL -> bytes.get(at) != 0;
      case UINT64 -> unsigned(bytes.getLong(at));
      case INT64 -> bytes.getLong(at);
      case FLOAT64 -> bytes.getDouble(at);
      case STRING, ARRAY -> throw new AssertionError(kind);
    };
  }

  private static Object unsigned(long value) {
    return value >= 0 ? value : new BigInteger(Long.toUnsignedString(value));
  }

  /**
   * Numbers that stay as the file has them: a vocabulary's scores and kinds as boxed objects would
   * take five times the memory.
   */
  private static final class PackedList extends AbstractList<Object> implements RandomAccess {
    private final Kind kind;
    private final ByteBuffer bytes;

    private PackedList(Kind kind, byte[] bytes) {
      this.kind = kind;
      this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void requireTruthValues(GgufCursor cursor, String what) {
      for (byte value : bytes.array()) {
        requireTruthValue(value, cursor, what);
      }
    }

    @Override
    public Object get(int index) {
      Objects.checkIndex(index, size());
      return value(kind, bytes, index * kind.bytes);
    }

    @Override
    public int size() {
      return bytes.capacity() / kind.bytes;
    }
  }
}
