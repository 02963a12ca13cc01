package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;

/** Reads the fields of a GGUF header one after the other; each says what it is, for the errors. */
final class GgufCursor {
  private final RegularFile file;
  private final HeapBudget budget;
  private final ByteBuffer buffer =
      ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN).limit(0);
  private long bufferStart;

  GgufCursor(RegularFile file, HeapBudget budget) {
    this.file = file;
    this.budget = budget;
  }

  long position() {
    return bufferStart + buffer.position();
  }

  long remaining() {
    return file.size() - position();
  }

  byte readByte(String what) {
    need(1, what);
    return buffer.get();
  }

  short readShort(String what) {
    need(2, what);
    return buffer.getShort();
  }

  int readInt(String what) {
    need(4, what);
    return buffer.getInt();
  }

  long readLong(String what) {
    need(8, what);
    return buffer.getLong();
  }

  /**
   * Reads a number of things of at least {@code leastBytes} each, refused if the rest of the file
   * cannot hold as many.
   */
  long readCount(int leastBytes, String what) {
    long count = readLong(what);
    if (count < 0 || count > remaining() / leastBytes) {
      throw bad(
          "is truncated or damaged: "
              + what
              + " is "
              + Long.toUnsignedString(count)
              + ", for which the file is too short; copy it again");
    }
    return count;
  }

  /** Reads a string of at most {@code longest} bytes. */
  String readString(long longest, String what) {
    long length = readCount(1, "the length of " + what);
    if (length > longest) {
      throw bad("has " + length + " bytes as " + what + "; at most " + longest + " are allowed");
    }
    budget.charge(HeapBudget.stringBytes((int) length), file.path());
    try {
      return StrictUtf8.decode(readBytes((int) length, what));
    } catch (CharacterCodingException e) {
      throw new FormatException(
          Printable.path(file.path()) + " has text that is not UTF-8 as " + what, e);
    }
  }

  /** Reads {@code length} bytes, which the caller knows to be there and has charged. */
  byte[] readBytes(int length, String what) {
    if (length > remaining()) {
      throw truncated(what);
    }
    byte[] bytes = new byte[length];
    if (length <= buffer.capacity()) {
      need(length, what);
      buffer.get(bytes);
    } else {
      long start = position();
      file.read(ByteBuffer.wrap(bytes), start);
      bufferStart = start + length;
      buffer.position(0).limit(0);
    }
    return bytes;
  }

  void charge(long bytes) {
    budget.charge(bytes, file.path());
  }

  FormatException bad(String what) {
    return new FormatException(Printable.path(file.path()) + " " + what);
  }

  private void need(int bytes, String what) {
    if (buffer.remaining() >= bytes) {
      return;
    }
    if (remaining() < bytes) {
      throw truncated(what);
    }
    long start = position();
    buffer.clear().limit((int) Math.min(buffer.capacity(), file.size() - start));
    file.read(buffer, start);
    buffer.flip();
    bufferStart = start;
  }

  private FormatException truncated(String what) {
    return bad(
        "is truncated: it ends at byte " + file.size() + ", within " + what + "; copy it again");
  }
}
