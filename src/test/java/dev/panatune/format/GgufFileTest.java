package dev.panatune.format;

import static dev.panatune.format.GgufBytes.ARRAY;
import static dev.panatune.format.GgufBytes.BOOL;
import static dev.panatune.format.GgufBytes.STRING;
import static dev.panatune.format.GgufBytes.UINT32;
import static dev.panatune.format.GgufBytes.UINT8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class GgufFileTest {
  private static final int F32 = 0;
  private static final int Q4_0 = 2;

  @TempDir Path directory;

  @Test
  void readsTheMetadataThatPythonWrote() {
    Map<String, Object> metadata = GgufFile.open(Fixtures.path("all_types.gguf")).metadata();
    assertEquals("llama", metadata.get("general.architecture"));
    assertEquals(200L, metadata.get("test.uint8"));
    assertEquals(-100L, metadata.get("test.int8"));
    assertEquals(60000L, metadata.get("test.uint16"));
    assertEquals(-30000L, metadata.get("test.int16"));
    assertEquals(4000000000L, metadata.get("test.uint32"));
    assertEquals(-2000000000L, metadata.get("test.int32"));
    assertEquals(new BigInteger("18446744073709551615"), metadata.get("test.uint64"));
    assertEquals(Long.MIN_VALUE, metadata.get("test.int64"));
    assertEquals(0.5, metadata.get("test.float32"));
    assertEquals(0.1, metadata.get("test.float64"));
    assertEquals(true, metadata.get("test.bool"));
    assertEquals("Grüße, 中 😀", metadata.get("test.string"));
    assertEquals(List.of("a", "", "ß"), metadata.get("test.strings"));
    assertEquals(List.of(1L, -2L, 3L), metadata.get("test.integers"));
    assertEquals(List.of(0.5, -1.5), metadata.get("test.floats"));
    assertEquals(List.of(true, false), metadata.get("test.bools"));
  }

  @Test
  void readsTheTensorsThatPythonWrote() {
    GgufFile file = GgufFile.open(Fixtures.path("all_types.gguf"));
    assertEquals(3, file.version());
    assertEquals(17, file.tensors().size());
    GgufTensorInfo q40 = file.tensor("t.Q4_0");
    assertEquals(GgmlType.Q4_0, q40.type());
    assertArrayEquals(new long[] {3, 512}, q40.shape());
    assertEquals(3 * 16 * 18, q40.byteSize());
    assertArrayEquals(new long[] {3, 256}, file.tensor("t.Q6_K").shape());
    assertEquals(3 * 210, file.tensor("t.Q6_K").byteSize());
    assertEquals(GgmlType.IQ2_XXS, file.tensor("t.IQ2_XXS").type());
  }

  @Test
  void mapsTheData() {
    GgufFile file = GgufFile.open(Fixtures.path("all_types.gguf"));
    SafetensorsFile expected =
        SafetensorsFile.open(Fixtures.path("all_types_dequantized.safetensors"));
    try (Arena arena = Arena.ofConfined()) {
      assertArrayEquals(
          expected.map("F32", arena).toArray(ValueLayout.JAVA_BYTE),
          file.map("t.F32", arena).toArray(ValueLayout.JAVA_BYTE));
    }
  }

  @Test
  void everyTypeHasPythonsSizes() {
    GgufFile file = GgufFile.open(Fixtures.path("all_types.gguf"));
    List<GgmlType> dequantizable =
        Arrays.stream(GgmlType.values()).filter(GgmlType::isDequantizable).toList();
    for (GgmlType type : dequantizable) {
      GgufTensorInfo info = file.tensor("t." + type);
      assertEquals(type, info.type());
      info.type().requireDequantizable(info.name());
    }
    assertEquals(15, dequantizable.size());
  }

  @Test
  void aTypeThatIsNotDequantisedIsNamed() {
    GgufTensorInfo info = GgufFile.open(Fixtures.path("all_types.gguf")).tensor("t.IQ2_XXS");
    FormatException error =
        assertThrows(FormatException.class, () -> info.type().requireDequantizable(info.name()));
    assertTrue(
        error.getMessage().contains("\"t.IQ2_XXS\" is stored as IQ2_XXS"), error.getMessage());
    assertTrue(error.getMessage().contains("Q4_K"), error.getMessage());
  }

  @Test
  void accepts() throws IOException {
    assertEquals(Map.of(), open(GgufBytes.start(0, 0).end()).tensors());
    assertEquals(2, open(GgufBytes.start("GGUF", 2, 0, 0).end()).version());
    GgufFile scalarAndEmpty =
        open(GgufBytes.start(2, 0).tensor("s", F32, 0).tensor("e", Q4_0, 32, 0, 5).data(32));
    assertArrayEquals(new long[] {}, scalarAndEmpty.tensor("s").shape());
    assertArrayEquals(new long[] {5, 0}, scalarAndEmpty.tensor("e").shape());
    GgufFile aligned =
        open(
            GgufBytes.start(1, 1)
                .key("general.alignment", UINT32)
                .u32(8)
                .tensor("a", F32, 0, 1)
                .raw(new byte[11])
                .end());
    assertEquals(0, aligned.tensor("a").offset() % 8);
  }

  static Stream<Arguments> refused() {
    String longName = "n".repeat(65);
    return Stream.of(
        Arguments.of("nothing", new byte[0], "truncated"),
        Arguments.of("another magic", GgufBytes.start("GGML", 3, 0, 0).end(), "no GGUF file"),
        Arguments.of("only the magic", "GGUF".getBytes(), "within the version"),
        Arguments.of("version 0", GgufBytes.start("GGUF", 0, 0, 0).end(), "version 0"),
        Arguments.of("version 1", GgufBytes.start("GGUF", 1, 0, 0).end(), "version 1"),
        Arguments.of("version 4", GgufBytes.start("GGUF", 4, 0, 0).end(), "version 4"),
        Arguments.of("big-endian", GgufBytes.start("GGUF", 3 << 24, 0, 0).end(), "big-endian"),
        Arguments.of("no counts", "GGUF\3\0\0\0".getBytes(), "within the number of tensors"),
        Arguments.of(
            "-1 tensors",
            GgufBytes.start(-1, 0).end(),
            "number of tensors is 18446744073709551615"),
        Arguments.of(
            "too many tensors", GgufBytes.start(1L << 40, 0).data(64), "number of tensors"),
        Arguments.of("too many keys", GgufBytes.start(0, 1L << 62).data(64), "metadata keys"),
        Arguments.of("a key without end", key().u64(1L << 61).data(64), "the length of"),
        Arguments.of(
            "a key over 65535 bytes", key().string("k".repeat(65_536)).data(64), "at most 65535"),
        Arguments.of("an empty key", key().key("", UINT8).raw((byte) 1).data(64), "an empty name"),
        Arguments.of(
            "a key that is no UTF-8",
            key().u64(2).raw((byte) 0xc0, (byte) 0x80).u32(UINT8).data(64),
            "not UTF-8"),
        Arguments.of(
            "a key twice",
            GgufBytes.start(0, 2)
                .key("k", UINT8)
                .raw((byte) 1)
                .key("k", UINT8)
                .raw((byte) 1)
                .data(64),
            "\"k\" twice"),
        Arguments.of("an unknown kind", key().key("k", 13).data(64), "unknown type of value, 13"),
        Arguments.of("a negative kind", key().key("k", -1).data(64), "4294967295"),
        Arguments.of("no value", key().key("long.key", 10).u32(1).end(), "\"long.key\""),
        Arguments.of("2 as truth", key().key("k", BOOL).raw((byte) 2).data(64), "truth value"),
        Arguments.of(
            "2 as truth in a list",
            key().key("k", ARRAY).u32(BOOL).u64(2).raw((byte) 1, (byte) 2).data(64),
            "truth value"),
        Arguments.of(
            "a string value that is no UTF-8",
            key().key("k", STRING).u64(1).raw((byte) 0xff).data(64),
            "not UTF-8 as metadata \"k\""),
        Arguments.of(
            "a string value without end", key().key("k", STRING).u64(1L << 33).data(64), "\"k\""),
        Arguments.of(
            "a list without end",
            key().key("k", ARRAY).u32(UINT8).u64(Long.MAX_VALUE).data(64),
            "the length of metadata \"k\" is 9223372036854775807"),
        Arguments.of(
            "a list of strings without end",
            key().key("k", ARRAY).u32(STRING).u64(100).data(64),
            "\"k\""),
        Arguments.of("a list of lists", key().key("k", ARRAY).u32(ARRAY).data(64), "list of lists"),
        Arguments.of("alignment 0", aligned(0), "no power of two: \"0\""),
        Arguments.of("alignment 48", aligned(48), "no power of two: \"48\""),
        Arguments.of("alignment 2^31", aligned(1 << 31), "no power of two"),
        Arguments.of(
            "alignment as text",
            key().key("general.alignment", STRING).string("32").data(64),
            "no power of two"),
        Arguments.of("no name", tensor("", F32, 0, 1), "without a name"),
        Arguments.of("a long name", tensor(longName, F32, 0, 1), "at most 64"),
        Arguments.of("5 dims", tensor("t", F32, 0, 1, 1, 1, 1, 1), "5 dimensions"),
        Arguments.of(
            "2^32-1 dims", GgufBytes.start(1, 0).string("t").u32(-1).data(64), "4294967295"),
        Arguments.of("a negative dim", tensor("t", F32, 0, -8), "impossible size"),
        Arguments.of("numel overflow", tensor("t", F32, 0, 1L << 32, 1L << 32), "impossible size"),
        Arguments.of("nbytes overflow", tensor("t", F32, 0, 1L << 62), "impossible size"),
        Arguments.of("half a block", tensor("t", Q4_0, 0, 48), "blocks have 32"),
        Arguments.of("a scalar of blocks", tensor("t", Q4_0, 0), "blocks have 32"),
        Arguments.of("a type that was removed", tensor("t", 4, 0, 32), "unknown type, 4"),
        Arguments.of("an unknown type", tensor("t", 1000, 0, 32), "unknown type, 1000"),
        Arguments.of("an unaligned offset", tensor("t", F32, 4, 1), "no multiple of 32: 4"),
        Arguments.of("a negative offset", tensor("t", F32, -32, 1), "no multiple of 32"),
        Arguments.of("an offset far out", tensor("t", F32, Long.MAX_VALUE - 31, 1), "truncated"),
        Arguments.of("data too short", tensor("t", F32, 0, 17), "\"t\" (F32 [17], 68 bytes"),
        Arguments.of("data behind the end", tensor("t", F32, 64, 1), "whose data has 64 bytes"),
        Arguments.of(
            "a name twice",
            GgufBytes.start(2, 0).tensor("t", F32, 0, 1).tensor("t", F32, 32, 1).data(64),
            "\"t\" twice"),
        Arguments.of(
            "an overlap",
            GgufBytes.start(2, 0).tensor("t", F32, 0, 9).tensor("u", F32, 32, 1).data(64),
            "\"u\" begins"));
  }

  private static GgufBytes key() {
    return GgufBytes.start(0, 1);
  }

  private static byte[] aligned(int alignment) {
    return key().key("general.alignment", UINT32).u32(alignment).data(64);
  }

  private static byte[] tensor(String name, int type, long offset, long... innermostFirst) {
    return GgufBytes.start(1, 0).tensor(name, type, offset, innermostFirst).data(64);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refused")
  void refuses(String what, byte[] content, String message) {
    FormatException error = assertThrows(FormatException.class, () -> open(content));
    assertTrue(error.getMessage().contains(message), error.getMessage());
    assertTrue(error.getMessage().contains("hostile.gguf"), error.getMessage());
    assertTrue(error.getMessage().length() < 1000, error.getMessage());
  }

  @Test
  void refusesTheFixtureCutOffAnywhere() throws IOException {
    byte[] whole = Files.readAllBytes(Fixtures.path("all_types.gguf"));
    for (int length = 0; length < whole.length - 32; length += length < 2000 ? 7 : 501) {
      byte[] content = Arrays.copyOf(whole, length);
      assertThrows(FormatException.class, () -> open(content), "cut to " + length);
    }
  }

  private GgufFile open(byte[] content) throws IOException {
    return GgufFile.open(Files.write(directory.resolve("hostile.gguf"), content));
  }
}
