package dev.panatune.format;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Builds GGUF files field by field, right or wrong. */
final class GgufBytes {
  static final int UINT8 = 0;
  static final int UINT32 = 4;
  static final int BOOL = 7;
  static final int STRING = 8;
  static final int ARRAY = 9;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /** Begins a file of version 3. */
  static GgufBytes start(long tensors, long pairs) {
    return start("GGUF", 3, tensors, pairs);
  }

  static GgufBytes start(String magic, int version, long tensors, long pairs) {
    return new GgufBytes().raw(magic.getBytes()).u32(version).u64(tensors).u64(pairs);
  }

  GgufBytes raw(byte... bytes) {
    out.writeBytes(bytes);
    return this;
  }

  GgufBytes u32(int value) {
    return raw(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  GgufBytes u64(long value) {
    return raw(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }

  GgufBytes string(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return u64(bytes.length).raw(bytes);
  }

  /** Adds a key of metadata and the number of its kind; the value follows. */
  GgufBytes key(String key, int kind) {
    return string(key).u32(kind);
  }

  /** Adds a tensor's description. */
  GgufBytes tensor(String name, int type, long offset, long... innermostFirst) {
    string(name).u32(innermostFirst.length);
    for (long dimension : innermostFirst) {
      u64(dimension);
    }
    return u32(type).u64(offset);
  }

  /** Fills up to a multiple of 32 and adds {@code bytes} of zeros. */
  byte[] data(int bytes) {
    raw(new byte[Math.ceilDiv(out.size(), 32) * 32 - out.size() + bytes]);
    return out.toByteArray();
  }

  byte[] end() {
    return out.toByteArray();
  }
}
