package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads and checks the directory of a zip file. {@link java.util.zip.ZipFile} does not tell where a
 * member's data lie, and without that they cannot be mapped; what is compressed is left to {@link
 * java.util.zip.Inflater}.
 */
final class ZipDirectory {
  static final int LOCAL_MAGIC = 0x04034b50; // "PK\3\4", read as a little-endian number

  private static final int MEMBER_MAGIC = 0x02014b50;
  private static final int END_MAGIC = 0x06054b50;
  private static final int END64_MAGIC = 0x06064b50;
  private static final int LOCATOR64_MAGIC = 0x07064b50;

  private static final int LOCAL_BYTES = 30;
  private static final int MEMBER_BYTES = 46;
  private static final int END_BYTES = 22;
  private static final int END64_BYTES = 56;
  private static final int LOCATOR64_BYTES = 20;
  private static final int LONGEST_COMMENT = 0xffff;

  private static final long WIDE = 0xffff_ffffL;
  private static final int WIDE_FIELDS = 1;
  private static final int ENCRYPTED = 1;
  private static final int STORED = 0;
  private static final int DEFLATED = 8;

  /** A directory of a million members, which no checkpoint has, is still below. */
  private static final long LARGEST = 32L << 20;

  private static final int MEMBER_HEAP_BYTES = 160;

  private final RegularFile file;
  private final HeapBudget budget;
  private final Map<String, ZipMember> members = new LinkedHashMap<>();
  private long start;
  private long size;
  private long count;

  private ZipDirectory(RegularFile file, HeapBudget budget) {
    this.file = file;
    this.budget = budget;
  }

  /**
   * Returns the members by name, in the order of the directory.
   *
   * @throws FormatException if the file is truncated, encrypted or contradicts itself
   */
  static Map<String, ZipMember> read(RegularFile file, HeapBudget budget) {
    ZipDirectory directory = new ZipDirectory(file, budget);
    directory.readEnd();
    directory.readMembers();
    directory.checkOverlaps();
    return directory.members;
  }

  private void readEnd() {
    int length = (int) Math.min(file.size(), END_BYTES + LONGEST_COMMENT);
    ByteBuffer tail = bytes(file.size() - length, length);
    int at = length - END_BYTES;
    while (at >= 0 && !(tail.getInt(at) == END_MAGIC && endsAfterComment(tail, at))) {
      at--;
    }
    if (at < 0) {
      throw bad(
          "is a truncated or damaged zip file: it has no directory at its end; copy it again");
    }
    long end = file.size() - length + at;
    int disk = tail.getShort(at + 4) | tail.getShort(at + 6);
    count = Short.toUnsignedLong(tail.getShort(at + 10));
    size = Integer.toUnsignedLong(tail.getInt(at + 12));
    start = Integer.toUnsignedLong(tail.getInt(at + 16));
    if (count == 0xffff || size == WIDE || start == WIDE) {
      end = readWideEnd(end);
    } else if (disk != 0) {
      throw bad("is one part of a zip file in several");
    }
    if (start < 0 || size < 0 || start > end || size > end - start) {
      throw bad("is a truncated or damaged zip file: its directory lies outside of it");
    }
    if (size > LARGEST || count < 0 || count > size / MEMBER_BYTES) {
      throw bad("has a directory of more members than any checkpoint has");
    }
  }

  private static boolean endsAfterComment(ByteBuffer tail, int at) {
    return at + END_BYTES + Short.toUnsignedInt(tail.getShort(at + 20)) == tail.limit();
  }

  /** Reads the fields that have no room in the older record; returns where the newer begins. */
  private long readWideEnd(long end) {
    if (end < LOCATOR64_BYTES) {
      throw bad("is a damaged zip file: the record of its directory is missing");
    }
    ByteBuffer locator = bytes(end - LOCATOR64_BYTES, LOCATOR64_BYTES);
    long at = locator.getLong(8);
    if (locator.getInt(0) != LOCATOR64_MAGIC || at < 0 || at > end - END64_BYTES) {
      throw bad("is a damaged zip file: the record of its directory is missing");
    }
    ByteBuffer record = bytes(at, END64_BYTES);
    if (record.getInt(0) != END64_MAGIC || record.getInt(16) != 0 || record.getInt(20) != 0) {
      throw bad("is a damaged zip file, or one part of several");
    }
    count = record.getLong(32);
    size = record.getLong(40);
    start = record.getLong(48);
    return at;
  }

  private void readMembers() {
    budget.charge(size, file.path());
    ByteBuffer directory = bytes(start, (int) size);
    for (long i = 0; i < count; i++) {
      if (directory.remaining() < MEMBER_BYTES
          || directory.getInt(directory.position()) != MEMBER_MAGIC) {
        throw bad("is a damaged zip file: member " + i + " is missing in its directory");
      }
      readMember(directory);
    }
  }

  private void readMember(ByteBuffer directory) {
    int at = directory.position();
    int nameLength = Short.toUnsignedInt(directory.getShort(at + 28));
    int extraLength = Short.toUnsignedInt(directory.getShort(at + 30));
    int commentLength = Short.toUnsignedInt(directory.getShort(at + 32));
    int length = MEMBER_BYTES + nameLength + extraLength + commentLength;
    if (length > directory.remaining()) {
      throw bad("is a damaged zip file: its directory ends within a member");
    }
    String name = name(directory, at + MEMBER_BYTES, nameLength);
    long[] wide = {
      Integer.toUnsignedLong(directory.getInt(at + 24)),
      Integer.toUnsignedLong(directory.getInt(at + 20)),
      Integer.toUnsignedLong(directory.getInt(at + 42))
    };
    widen(wide, directory.slice(at + MEMBER_BYTES + nameLength, extraLength), name);
    int method = Short.toUnsignedInt(directory.getShort(at + 10));
    if ((directory.getShort(at + 8) & ENCRYPTED) != 0) {
      throw bad("is an encrypted zip file, which is not read");
    }
    if (method != STORED && method != DEFLATED) {
      throw bad("has a member compressed by an unknown method, " + method + ": " + quoted(name));
    }
    if (method == STORED && wide[0] != wide[1]) {
      throw bad("is a damaged zip file: it gives two sizes to " + quoted(name));
    }
    budget.charge(MEMBER_HEAP_BYTES + HeapBudget.stringBytes(nameLength), file.path());
    long offset = dataOffset(wide[2], wide[1], name);
    long crc = Integer.toUnsignedLong(directory.getInt(at + 16));
    ZipMember member = new ZipMember(name, method == DEFLATED, offset, wide[1], wide[0], crc);
    if (members.put(name, member) != null) {
      throw bad("has the member " + quoted(name) + " twice");
    }
    directory.position(at + length);
  }

  private String name(ByteBuffer directory, int at, int length) {
    byte[] name = new byte[length];
    directory.get(at, name);
    try {
      return StrictUtf8.decode(name);
    } catch (CharacterCodingException e) {
      throw new FormatException(
          Printable.path(file.path()) + " has a member whose name is not UTF-8", e);
    }
  }

  /** Takes size, stored size and offset from the extra fields where they need more than 32 bits. */
  private void widen(long[] values, ByteBuffer extra, String name) {
    extra.order(ByteOrder.LITTLE_ENDIAN);
    while (extra.remaining() >= 4) {
      int id = Short.toUnsignedInt(extra.getShort());
      int length = Short.toUnsignedInt(extra.getShort());
      if (length > extra.remaining()) {
        break;
      }
      ByteBuffer field = extra.slice(extra.position(), length).order(ByteOrder.LITTLE_ENDIAN);
      extra.position(extra.position() + length);
      for (int i = 0; id == WIDE_FIELDS && i < values.length; i++) {
        if (values[i] == WIDE && field.remaining() >= Long.BYTES) {
          values[i] = field.getLong();
        }
      }
    }
    for (long value : values) {
      if (value < 0) {
        throw bad("is a damaged zip file: it gives an impossible size to " + quoted(name));
      }
    }
  }

  /**
   * Returns where a member's data begin, after its local header, whose extra fields are its own.
   */
  private long dataOffset(long header, long storedSize, String name) {
    if (header > start - LOCAL_BYTES) {
      throw truncated(name);
    }
    ByteBuffer local = bytes(header, LOCAL_BYTES);
    if (local.getInt(0) != LOCAL_MAGIC) {
      throw bad("is a damaged zip file: there is no member where it should be: " + quoted(name));
    }
    long offset =
        header
            + LOCAL_BYTES
            + Short.toUnsignedInt(local.getShort(26))
            + Short.toUnsignedInt(local.getShort(28));
    if (offset > start || storedSize > start - offset) {
      throw truncated(name);
    }
    return offset;
  }

  private void checkOverlaps() {
    List<ZipMember> inOrder = new ArrayList<>(members.values());
    inOrder.sort(
        Comparator.comparingLong(ZipMember::offset).thenComparingLong(ZipMember::storedSize));
    long end = 0;
    for (ZipMember member : inOrder) {
      if (member.offset() < end) {
        throw bad("has members that overlap, one of them " + quoted(member.name()));
      }
      end = member.offset() + member.storedSize();
    }
  }

  private ByteBuffer bytes(long position, int length) {
    ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    file.read(buffer, position);
    return buffer.flip().order(ByteOrder.LITTLE_ENDIAN);
  }

  private FormatException truncated(String name) {
    return bad("is truncated: its member " + quoted(name) + " ends after the file; copy it again");
  }

  private static String quoted(String text) {
    return Printable.quoted(text);
  }

  private FormatException bad(String what) {
    return new FormatException(Printable.path(file.path()) + " " + what);
  }
}
