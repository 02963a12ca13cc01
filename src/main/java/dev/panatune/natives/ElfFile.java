package dev.panatune.natives;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What must be known of a shared library before the system's loader is trusted with it: the loader
 * ends the process (SIGBUS) on a file that was cut off.
 *
 * @param needed the libraries that it asks for, by name, in its order
 */
record ElfFile(List<String> needed) {
  private static final int HEADER = 64;
  private static final int PROGRAM_HEADER = 56;
  private static final int PT_LOAD = 1;
  private static final int PT_DYNAMIC = 2;
  private static final int DT_NEEDED = 1;
  private static final int DT_STRTAB = 5;
  private static final int DT_STRSZ = 10;
  private static final int EM_X86_64 = 62;
  private static final int EM_AARCH64 = 183;

  /** More than any library has; keeps a damaged header from asking for gigabytes. */
  private static final int LARGEST_TABLE = 64 << 20;

  ElfFile {
    needed = List.copyOf(needed);
  }

  private record Segment(int type, long offset, long address, long size) {}

  /**
   * Reads the headers of a 64-bit little-endian shared library.
   *
   * @throws FormatException if the file is not one, is for another processor, or is cut off
   */
  static ElfFile read(Path path, Platform platform) {
    try (FileChannel file = FileChannel.open(path)) {
      return read(file, path, platform);
    } catch (IOException e) {
      throw new FormatException(path + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static ElfFile read(FileChannel file, Path path, Platform platform) throws IOException {
    long length = file.size();
    if (length < HEADER) {
      throw new FormatException(path + " is not a shared library: it has " + length + " bytes.");
    }
    ByteBuffer header = bytes(file, 0, HEADER, path);
    if (header.getInt(0) != 0x464c457f || header.get(4) != 2 || header.get(5) != 1) {
      throw new FormatException(path + " is not a 64-bit shared library.");
    }
    int machine = header.getShort(18);
    if (machine != (platform.arch().equals("aarch64") ? EM_AARCH64 : EM_X86_64)) {
      throw new FormatException(
          path + " is for another processor (ELF machine " + machine + ") than " + platform + ".");
    }
    long sections = header.getLong(40) + (long) unsigned(header, 58) * unsigned(header, 60);
    long end = Math.max(HEADER, sections);
    List<Segment> segments = new ArrayList<>();
    long table = header.getLong(32);
    int count = unsigned(header, 56);
    checkEnd(table + (long) count * PROGRAM_HEADER, length, path);
    ByteBuffer programs = bytes(file, table, count * PROGRAM_HEADER, path);
    for (int i = 0; i < count; i++) {
      int at = i * PROGRAM_HEADER;
      Segment segment =
          new Segment(
              programs.getInt(at),
              programs.getLong(at + 8),
              programs.getLong(at + 16),
              programs.getLong(at + 32));
      segments.add(segment);
      end = Math.max(end, segment.offset() + segment.size());
    }
    checkEnd(end, length, path);
    return new ElfFile(needed(file, segments, path));
  }

  private static void checkEnd(long end, long length, Path path) {
    if (end > length || end < 0) {
      throw new FormatException(
          path + " is cut off: it has " + length + " bytes and its headers speak of " + end + ".");
    }
  }

  private static List<String> needed(FileChannel file, List<Segment> segments, Path path)
      throws IOException {
    List<Long> offsets = new ArrayList<>();
    long strings = -1;
    long stringsSize = 0;
    for (Segment dynamic : segments) {
      if (dynamic.type() == PT_DYNAMIC) {
        ByteBuffer entries = bytes(file, dynamic.offset(), dynamic.size(), path);
        while (entries.remaining() >= 16) {
          long tag = entries.getLong();
          long value = entries.getLong();
          if (tag == DT_NEEDED) {
            offsets.add(value);
          } else if (tag == DT_STRTAB) {
            strings = fileOffset(value, segments);
          } else if (tag == DT_STRSZ) {
            stringsSize = value;
          }
        }
      }
    }
    List<String> names = new ArrayList<>();
    if (strings >= 0 && !offsets.isEmpty()) {
      ByteBuffer table = bytes(file, strings, stringsSize, path);
      for (long offset : offsets) {
        names.add(string(table, offset, path));
      }
    }
    return names;
  }

  private static long fileOffset(long address, List<Segment> segments) {
    return segments.stream()
        .filter(s -> s.type() == PT_LOAD)
        .filter(s -> address >= s.address() && address < s.address() + s.size())
        .findFirst()
        .map(s -> address - s.address() + s.offset())
        .orElse(-1L);
  }

  private static String string(ByteBuffer table, long offset, Path path) {
    if (offset < 0 || offset >= table.limit()) {
      throw new FormatException(path + " is damaged: a name lies outside of its string table.");
    }
    int end = (int) offset;
    while (end < table.limit() && table.get(end) != 0) {
      end++;
    }
    byte[] name = new byte[end - (int) offset];
    table.get((int) offset, name);
    return new String(name, StandardCharsets.UTF_8);
  }

  private static int unsigned(ByteBuffer buffer, int index) {
    return Short.toUnsignedInt(buffer.getShort(index));
  }

  private static ByteBuffer bytes(FileChannel file, long offset, long size, Path path)
      throws IOException {
    if (offset < 0 || size < 0 || size > LARGEST_TABLE || offset + size > file.size()) {
      throw new FormatException(path + " is damaged or cut off.");
    }
    ByteBuffer buffer = ByteBuffer.allocate((int) size).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining() && file.read(buffer, offset + buffer.position()) >= 0) {
      // A read may give less than was asked for.
    }
    return buffer.flip();
  }
}
