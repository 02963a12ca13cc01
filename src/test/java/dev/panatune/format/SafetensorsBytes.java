package dev.panatune.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Builds safetensors files that no writer would write. */
final class SafetensorsBytes {
  private SafetensorsBytes() {}

  /** Returns a file with this header and {@code data} zero bytes. */
  static byte[] of(String header, int data) {
    return of(header.getBytes(StandardCharsets.UTF_8), data);
  }

  static byte[] of(byte[] header, int data) {
    return withLength(header.length, header, data);
  }

  /** Returns a file that says that its header has {@code length} bytes. */
  static byte[] withLength(long length, byte[] header, int data) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(
        ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length).array());
    out.writeBytes(header);
    out.writeBytes(new byte[data]);
    return out.toByteArray();
  }

  static Path file(Path directory, byte[] content) throws IOException {
    return Files.write(directory.resolve("hostile.safetensors"), content);
  }

  /** Returns a tensor's entry in the header. */
  static String tensor(String name, String dtype, String shape, String offsets) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}"
        .formatted(name, dtype, shape, offsets);
  }
}
