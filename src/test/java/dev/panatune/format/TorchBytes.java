package dev.panatune.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Builds {@code torch.save} archives instruction by instruction, right or wrong. */
final class TorchBytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /** Begins a pickle of protocol 2. */
  static TorchBytes pickle() {
    return new TorchBytes().op(0x80, 2);
  }

  /** Adds instructions that take nothing, such as "(t", or bytes of any kind. */
  TorchBytes ops(String latin1) {
    out.writeBytes(latin1.getBytes(StandardCharsets.ISO_8859_1));
    return this;
  }

  TorchBytes op(int... bytes) {
    for (int value : bytes) {
      out.write(value);
    }
    return this;
  }

  TorchBytes global(String module, String name) {
    return ops("c" + module + "\n" + name + "\n");
  }

  TorchBytes text(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    op('X').little(4, bytes.length);
    out.writeBytes(bytes);
    return this;
  }

  TorchBytes number(long value) {
    return op(0x8a, 8).little(8, value);
  }

  TorchBytes numbers(long... values) {
    ops("(");
    for (long value : values) {
      number(value);
    }
    return ops("t");
  }

  /** Puts the storage "0" of floats on the stack. */
  TorchBytes storage(String storageClass, String key, long elements) {
    return ops("(")
        .text("storage")
        .global("torch", storageClass)
        .text(key)
        .text("cpu")
        .number(elements)
        .ops("tQ");
  }

  /** Puts a tensor of the storage "0" on the stack. */
  TorchBytes tensor(long elements, long offset, long[] shape, long[] stride) {
    return global("torch._utils", "_rebuild_tensor_v2")
        .ops("(")
        .storage("FloatStorage", "0", elements)
        .number(offset)
        .numbers(shape)
        .numbers(stride)
        .op(0x89)
        .global("collections", "OrderedDict")
        .ops(")RtR");
  }

  private TorchBytes little(int size, long value) {
    byte[] bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    out.write(bytes, 0, size);
    return this;
  }

  byte[] bytes() {
    return out.toByteArray();
  }

  /** Ends the pickle and puts it into an archive with {@code data} bytes as the storage "0". */
  Path archive(Path directory, int data) throws IOException {
    ops(".");
    return archive(directory, bytes(), data);
  }

  static Path archive(Path directory, byte[] pickle, int data) throws IOException {
    Path file = Files.createTempFile(directory, "hostile", ".pt");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      store(zip, "archive/data.pkl", pickle);
      store(zip, "archive/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
      store(zip, "archive/data/0", new byte[data]);
    }
    return file;
  }

  private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    CRC32 crc = new CRC32();
    crc.update(content);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(content.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }
}
