package dev.panatune.format;

import static dev.panatune.format.SafetensorsBytes.tensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
  private static final String U8 = tensor("a", "U8", "[2]", "[0,2]");

  @TempDir Path directory;

  @Test
  void readsWhatPythonWrote() {
    SafetensorsFile file = SafetensorsFile.open(Fixtures.path("all_types.safetensors"));
    assertEquals(Map.of("format", "pt"), file.metadata());
    assertEquals(
        List.of(
            "i64",
            "f64",
            "empty",
            "f32",
            "nan",
            "scalar",
            "strange \"name\" \\ \t é 中 😀",
            "i32",
            "bf16",
            "f16",
            "i16",
            "f8_e4m3",
            "i8",
            "u8",
            "bool"),
        List.copyOf(file.tensors().keySet()));
    TensorInfo bf16 = file.tensor("bf16");
    assertEquals("BF16", bf16.dtype());
    assertArrayEquals(new long[] {3, 1, 3}, bf16.shape());
    assertEquals(18, bf16.byteSize());
    assertArrayEquals(new long[] {}, file.tensor("scalar").shape());
    assertArrayEquals(new long[] {0, 4}, file.tensor("empty").shape());
    assertEquals(0, file.tensor("empty").byteSize());
  }

  @Test
  void mapsTheData() {
    SafetensorsFile file = SafetensorsFile.open(Fixtures.path("all_types.safetensors"));
    try (Arena arena = Arena.ofConfined()) {
      assertArrayEquals(
          new float[] {-3, -2, -1, 0, 1, 2},
          file.map("f32", arena).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
      MemorySegment last = file.map("bool", arena);
      assertArrayEquals(new byte[] {1, 0, 1}, last.toArray(ValueLayout.JAVA_BYTE));
      assertEquals(0, file.map("empty", arena).byteSize());
    }
  }

  @Test
  void anUnknownNameIsSaidWithTheNearest() {
    SafetensorsFile file = SafetensorsFile.open(Fixtures.path("all_types.safetensors"));
    FormatException error = assertThrows(FormatException.class, () -> file.tensor("bf61"));
    assertTrue(error.getMessage().contains("\"bf61\"; did you mean \"bf16\"?"), error.getMessage());
  }

  static Stream<Arguments> accepted() {
    return Stream.of(
        Arguments.of("no tensors", "{}", 0),
        Arguments.of("white space around", " \n\t\r{" + U8 + "} \r\n\t  ", 2),
        Arguments.of("empty metadata", "{\"__metadata__\":{}," + U8 + "}", 2),
        Arguments.of("an unaligned data start", "{" + U8 + "}  ", 2),
        Arguments.of(
            "tensors out of order", "{" + tensor("b", "U8", "[3]", "[2,5]") + "," + U8 + "}", 5),
        Arguments.of("a scalar", "{" + tensor("s", "F64", "[]", "[0,8]") + "}", 8),
        Arguments.of(
            "empty tensors at one place",
            "{"
                + U8
                + ","
                + tensor("e", "F32", "[0]", "[0,0]")
                + ","
                + tensor("g", "F32", "[3,0]", "[2,2]")
                + "}",
            2),
        Arguments.of("half bytes that add up", "{" + tensor("x", "F4", "[2,3]", "[0,3]") + "}", 3),
        Arguments.of("six bits that add up", "{" + tensor("x", "F6_E2M3", "[4]", "[0,3]") + "}", 3),
        Arguments.of(
            "a field of a later version",
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"new\":[{\"x\":-1}]}}",
            1),
        Arguments.of(
            "an escaped name",
            "{" + tensor("\\u00e9\\ud83d\\ude00", "U8", "[]", "[0,1]") + "}",
            1));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("accepted")
  void accepts(String what, String header, int data) throws IOException {
    SafetensorsFile.open(SafetensorsBytes.file(directory, SafetensorsBytes.of(header, data)));
  }

  @Test
  void tensorsComeInTheOrderOfTheirData() throws IOException {
    String header = "{" + tensor("b", "U8", "[3]", "[2,5]") + "," + U8 + "}";
    SafetensorsFile file =
        SafetensorsFile.open(SafetensorsBytes.file(directory, SafetensorsBytes.of(header, 5)));
    assertEquals(List.of("a", "b"), List.copyOf(file.tensors().keySet()));
    assertEquals(8 + header.length() + 2, file.tensor("b").offset());
  }

  static Stream<Arguments> refused() {
    String metadata = "{\"__metadata__\":";
    return Stream.of(
        Arguments.of("an array", "[]", 0, "no JSON object"),
        Arguments.of("nothing", "", 0, "no JSON object"),
        Arguments.of("a broken object", "{" + U8, 2, "not valid JSON"),
        Arguments.of("a second document", "{" + U8 + "}{}", 2, "text after"),
        Arguments.of("NUL padding", "{" + U8 + "}\0\0", 2, "not valid JSON"),
        Arguments.of("a byte order mark", "\ufeff{" + U8 + "}", 2, "not valid JSON"),
        Arguments.of("a comment", "{/* */" + U8 + "}", 2, "not valid JSON"),
        Arguments.of("a trailing comma", "{" + U8 + ",}", 2, "not valid JSON"),
        Arguments.of("deep nesting", "{\"a\":{\"x\":" + "[".repeat(50_000), 0, "not valid JSON"),
        Arguments.of("metadata of numbers", metadata + "{\"a\":1}}", 0, "no string: \"a\""),
        Arguments.of("metadata of null", metadata + "{\"a\":null}}", 0, "no string: \"a\""),
        Arguments.of("metadata as a list", metadata + "[]}", 0, "__metadata__"),
        Arguments.of("metadata null", metadata + "null}", 0, "__metadata__"),
        Arguments.of("metadata twice", metadata + "{},\"__metadata__\":{}}", 0, "two __metadata__"),
        Arguments.of("a metadata key twice", metadata + "{\"k\":\"\",\"k\":\"\"}}", 0, "\"k\""),
        Arguments.of("a tensor as a list", "{\"a\":[]}", 0, "\"a\""),
        Arguments.of("a tensor twice", "{" + U8 + "," + U8 + "}", 2, "\"a\" twice"),
        Arguments.of(
            "a name that is no Unicode",
            "{" + tensor("\\ud800x", "U8", "[2]", "[0,2]") + "}",
            2,
            "surrogate"),
        Arguments.of(
            "metadata that is no Unicode", metadata + "{\"k\":\"\\ud800x\"}}", 0, "not Unicode"),
        Arguments.of("no dtype", "{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", 1, "no dtype"),
        Arguments.of(
            "no shape", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "no shape"),
        Arguments.of("no offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 1, "no data_offsets"),
        Arguments.of(
            "a dtype twice",
            "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}",
            1,
            "dtype twice"),
        Arguments.of(
            "an unknown dtype", "{" + tensor("a", "F33", "[]", "[0,1]") + "}", 1, "\"F33\""),
        Arguments.of(
            "a dtype in lower case", "{" + tensor("a", "u8", "[]", "[0,1]") + "}", 1, "\"u8\""),
        Arguments.of(
            "a dtype as number",
            "{\"a\":{\"dtype\":8,\"shape\":[],\"data_offsets\":[0,1]}}",
            1,
            "unknown dtype"),
        Arguments.of("a negative dim", "{" + tensor("a", "U8", "[-1]", "[0,1]") + "}", 1, "\"-1\""),
        Arguments.of("minus zero", "{" + tensor("a", "U8", "[-0]", "[0,0]") + "}", 0, "\"-0\""),
        Arguments.of("a float dim", "{" + tensor("a", "U8", "[1.0]", "[0,1]") + "}", 1, "\"1.0\""),
        Arguments.of("an exponent", "{" + tensor("a", "U8", "[1e0]", "[0,1]") + "}", 1, "\"1e0\""),
        Arguments.of("a string dim", "{" + tensor("a", "U8", "[\"1\"]", "[0,1]") + "}", 1, "\"1\""),
        Arguments.of("a null dim", "{" + tensor("a", "U8", "[null]", "[0,1]") + "}", 1, "\"null\""),
        Arguments.of("a list as dim", "{" + tensor("a", "U8", "[[1]]", "[0,1]") + "}", 1, "shape"),
        Arguments.of(
            "a shape as number", "{" + tensor("a", "U8", "1", "[0,1]") + "}", 1, "no list"),
        Arguments.of(
            "a dim over 63 bits",
            "{" + tensor("a", "U8", "[9223372036854775808]", "[0,1]") + "}",
            1,
            "2^63"),
        Arguments.of(
            "a number without end",
            "{" + tensor("a", "U8", "[" + "9".repeat(5000) + "]", "[0,1]") + "}",
            1,
            "not valid JSON"),
        Arguments.of(
            "65 dims",
            "{" + tensor("a", "U8", "[" + "1,".repeat(64) + "1]", "[0,1]") + "}",
            1,
            "more than 64"),
        Arguments.of("one offset", "{" + tensor("a", "U8", "[]", "[1]") + "}", 1, "no range"),
        Arguments.of(
            "three offsets", "{" + tensor("a", "U8", "[]", "[0,1,1]") + "}", 1, "no range"),
        Arguments.of(
            "a negative offset", "{" + tensor("a", "U8", "[]", "[-1,0]") + "}", 1, "\"-1\""),
        Arguments.of(
            "a reversed range", "{" + tensor("a", "U8", "[1]", "[1,0]") + "}", 1, "no range"),
        Arguments.of(
            "a range too short", "{" + tensor("a", "F32", "[2]", "[0,4]") + "}", 4, "needs 8"),
        Arguments.of(
            "a range too long", "{" + tensor("a", "F32", "[2]", "[0,9]") + "}", 9, "needs 8"),
        Arguments.of(
            "dims that overflow",
            "{" + tensor("a", "U8", "[4294967296,4294967296]", "[0,0]") + "}",
            0,
            "impossible size"),
        Arguments.of(
            "bytes that overflow",
            "{" + tensor("a", "F64", "[4611686018427387904]", "[0,0]") + "}",
            0,
            "impossible size"),
        Arguments.of(
            "half a byte",
            "{" + tensor("a", "F4", "[3]", "[0,2]") + "}",
            2,
            "whole number of bytes"),
        Arguments.of(
            "a gap", "{" + U8 + "," + tensor("b", "U8", "[1]", "[3,4]") + "}", 4, "a gap before"),
        Arguments.of(
            "a gap at the start", "{" + tensor("b", "U8", "[1]", "[1,2]") + "}", 2, "a gap before"),
        Arguments.of(
            "an overlap",
            "{" + U8 + "," + tensor("b", "U8", "[2]", "[1,3]") + "}",
            3,
            "an overlap before the tensor \"b\""),
        Arguments.of(
            "the same range twice",
            "{" + U8 + "," + tensor("b", "U8", "[2]", "[0,2]") + "}",
            2,
            "an overlap"),
        Arguments.of("data too short", "{" + U8 + "}", 1, "truncated: the tensor \"a\" (U8 [2])"),
        Arguments.of("data too long", "{" + U8 + "}", 3, "1 bytes after its last tensor"),
        Arguments.of("data without tensors", "{}", 1, "1 bytes after"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refused")
  void refuses(String what, String header, int data, String message) throws IOException {
    assertRefused(SafetensorsBytes.of(header, data), message);
  }

  static Stream<Arguments> refusedBytes() {
    byte[] header = ("{" + U8 + "}").getBytes();
    return Stream.of(
        Arguments.of("an empty file", new byte[0], "0 bytes"),
        Arguments.of("seven bytes", new byte[7], "7 bytes"),
        Arguments.of("a length of all ones", SafetensorsBytes.withLength(-1, header, 2), "1844674"),
        Arguments.of(
            "a header over 100 MB",
            SafetensorsBytes.withLength(100_000_001, header, 2),
            "at most 100000000"),
        Arguments.of(
            "a header longer than the file",
            SafetensorsBytes.withLength(header.length + 3, header, 2),
            "truncated"),
        Arguments.of("overlong UTF-8", withName(0xc0, 0x80), "not UTF-8"),
        Arguments.of("a surrogate in UTF-8", withName(0xed, 0xa0, 0x80), "not UTF-8"),
        Arguments.of("a lone continuation", withName(0x80), "not UTF-8"),
        Arguments.of("UTF-8 cut off", withName(0xe2, 0x82), "not UTF-8"),
        Arguments.of("bad UTF-8 in the padding", withPadding(0xff), "not UTF-8"));
  }

  private static byte[] withName(int... bytes) {
    byte[] header = ("{" + tensor("?".repeat(bytes.length), "U8", "[2]", "[0,2]") + "}").getBytes();
    for (int i = 0; i < bytes.length; i++) {
      header[2 + i] = (byte) bytes[i];
    }
    return SafetensorsBytes.of(header, 2);
  }

  private static byte[] withPadding(int last) {
    byte[] header = ("{" + U8 + "}  ").getBytes();
    header[header.length - 1] = (byte) last;
    return SafetensorsBytes.of(header, 2);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refusedBytes")
  void refusesBytes(String what, byte[] content, String message) throws IOException {
    assertRefused(content, message);
  }

  private void assertRefused(byte[] content, String message) throws IOException {
    Path file = SafetensorsBytes.file(directory, content);
    FormatException error = assertThrows(FormatException.class, () -> SafetensorsFile.open(file));
    assertTrue(error.getMessage().contains(message), error.getMessage());
    assertTrue(error.getMessage().contains("hostile.safetensors"), error.getMessage());
    assertTrue(error.getMessage().length() < 1000, error.getMessage());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 4, 20, 100, 700, 968, 1114})
  void refusesWhatIsCutOff(int length) throws IOException {
    byte[] whole = Files.readAllBytes(Fixtures.path("all_types.safetensors"));
    assertRefused(Arrays.copyOf(whole, length), "");
  }

  @Test
  void controlCharactersOfANameDoNotReachTheTerminal() throws IOException {
    String header = "{" + tensor("\\u001b[2J\\u202e", "U8", "[2]", "[0,1]") + "}";
    Path file = SafetensorsBytes.file(directory, SafetensorsBytes.of(header, 1));
    FormatException error = assertThrows(FormatException.class, () -> SafetensorsFile.open(file));
    assertTrue(error.getMessage().contains("\"\\u001b[2J\\u202e\""), error.getMessage());
  }

  @Test
  void aMissingFileAndADirectoryAreSaid() {
    Path missing = directory.resolve("none.safetensors");
    FormatException error =
        assertThrows(FormatException.class, () -> SafetensorsFile.open(missing));
    assertTrue(error.getMessage().contains("does not exist"), error.getMessage());
    error = assertThrows(FormatException.class, () -> SafetensorsFile.open(directory));
    assertTrue(error.getMessage().contains("is a directory"), error.getMessage());
  }

  @Test
  @Timeout(value = 20, unit = TimeUnit.SECONDS)
  void devicesAreNotWaitedFor() {
    FormatException error =
        assertThrows(FormatException.class, () -> SafetensorsFile.open(Path.of("/dev/zero")));
    assertTrue(error.getMessage().contains("a pipe or a device"), error.getMessage());
  }
}
