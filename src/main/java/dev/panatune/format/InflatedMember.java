package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.util.zip.CRC32;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;

/** Decompresses a member of a zip file into memory of exactly the size that its directory says. */
final class InflatedMember {
  private static final int PIECE = 1 << 16;

  private InflatedMember() {}

  /**
   * Fills {@code target}.
   *
   * @param target as large as the member
   * @throws FormatException if the data are damaged, or other than the directory says
   */
  static void read(ZipMember member, RegularFile file, MemorySegment target) {
    Inflater inflater = new Inflater(true);
    try (InputStream data =
        new InflaterInputStream(file.stream(member.offset(), member.storedSize()), inflater)) {
      CRC32 crc = new CRC32();
      byte[] piece = new byte[PIECE];
      long at = 0;
      for (int count = data.read(piece); count >= 0; count = data.read(piece)) {
        if (count > target.byteSize() - at) {
          throw damaged(member, file, "more data than its directory says", null);
        }
        MemorySegment.copy(MemorySegment.ofArray(piece), 0, target, at, count);
        crc.update(piece, 0, count);
        at += count;
      }
      if (at < target.byteSize() || crc.getValue() != member.crc()) {
        throw damaged(member, file, "other data than its directory says", null);
      }
    } catch (IOException e) {
      throw damaged(member, file, "damaged data", e);
    } finally {
      inflater.end();
    }
  }

  private static FormatException damaged(
      ZipMember member, RegularFile file, String what, IOException cause) {
    return new FormatException(
        Printable.path(file.path())
            + " has "
            + what
            + " in "
            + Printable.quoted(member.name())
            + "; copy it again",
        cause);
  }
}
