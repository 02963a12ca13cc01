package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.math.BigInteger;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What PyTorch saved is read, and what was made to do harm is refused; all without libtorch. */
class TorchFileTest {
  private static final long[] TWO = {2};
  private static final long[] ONE = {1};

  @TempDir Path directory;

  static Path fixture(String name) {
    try {
      return Path.of(TorchFileTest.class.getResource("/torch/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"all.pt", "deflated.pt"})
  void describesWhatPyTorchSaved(String name) {
    TorchFile file = TorchFile.open(fixture(name));
    assertEquals(33, file.tensors().size());
    TorchTensorInfo strided = file.tensor("strided");
    assertEquals(TorchDtype.FLOAT32, strided.dtype());
    assertArrayEquals(new long[] {3, 3}, strided.shape());
    assertArrayEquals(new long[] {6, 2}, strided.stride());
    assertEquals(6, strided.offset());
    assertEquals(file.tensor("transposed").storage(), strided.storage());
    assertEquals(TorchDtype.FLOAT8_E5M2, file.tensor("dtypes.float8_e5m2").dtype());
    assertArrayEquals(new long[0], file.tensor("optimizer.state.0.step").shape());
    Map<String, Object> metadata = file.metadata();
    assertEquals(3L, metadata.get("epoch"));
    assertEquals(BigInteger.TWO.pow(80).negate(), metadata.get("huge"));
    assertEquals("Grüße, 中 😀", metadata.get("name"));
    assertEquals(0.99, metadata.get("optimizer.param_groups.0.betas.1"));
    assertEquals("cuda:1", metadata.get("device"));
    assertEquals(true, metadata.get("flags.0"));
    assertEquals(2L, metadata.get("counter.a"));
    assertTrue(metadata.containsKey("none"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "legacy.bin|before 1.6",
        "object.pt|\"__main__.Arguments\"",
        "attack.pt|\"posix.system\"",
        "quantized.pt|\"torch._utils._rebuild_qtensor\"",
        "sparse.pt|\"torch._utils._rebuild_sparse_tensor\"",
        "conjugate.pt|resolve_conj",
        "protocol4.pt|the instruction 0x95",
        "script.pt|TorchScript",
        "big_endian.pt|big-endian"
      })
  void refusesByName(String name, String message) {
    assertRefused(fixture(name), message);
  }

  @Test
  void aTensorAloneHasAName() {
    assertEquals("[tensor]", TorchFile.open(fixture("alone.pt")).tensors().keySet().toString());
  }

  @Test
  void aHandMadeArchiveIsRead() throws IOException {
    TorchBytes good = TorchBytes.pickle().ops("}").text("w").tensor(2, 0, TWO, ONE).ops("s");
    assertEquals(8, TorchFile.open(good.archive(directory, 8)).tensor("w").byteSize());
  }

  @Test
  void aTensorOutsideOfItsStorageIsRefused() throws IOException {
    long[][][] shapesAndStrides = {
      {{3}, {1}},
      {{2}, {2}},
      {{2, 2}, {1, 1}},
      {{2}, {-1}},
      {{-1}, {1}},
      {{1L << 62, 4}, {0, 0}},
      {{2}, {Long.MAX_VALUE}},
      {{1L << 40}, {0}},
      {{2, 1}, {1}}
    };
    for (long[][] views : shapesAndStrides) {
      assertRefused(
          TorchBytes.pickle().tensor(2, 0, views[0], views[1]).archive(directory, 8),
          "_rebuild_tensor_v2");
    }
    for (long offset : new long[] {1, -1, Long.MAX_VALUE}) {
      assertRefused(
          TorchBytes.pickle().tensor(2, offset, TWO, ONE).archive(directory, 8),
          "_rebuild_tensor_v2");
    }
    long[] none = {0, 5};
    assertEquals(
        0,
        TorchFile.open(TorchBytes.pickle().tensor(0, 0, none, TWO_ONES).archive(directory, 0))
            .tensor("tensor")
            .byteSize());
  }

  private static final long[] TWO_ONES = {1, 1};

  @Test
  void aStorageThatIsNotThereIsRefused() throws IOException {
    assertRefused(
        TorchBytes.pickle().tensor(3, 0, TWO, ONE).archive(directory, 8),
        "8 bytes for the storage");
    assertRefused(
        TorchBytes.pickle().tensor(2, 0, TWO, ONE).archive(directory, 9),
        "9 bytes for the storage");
    assertRefused(TorchBytes.pickle().tensor(-1, 0, TWO, ONE).archive(directory, 8), "8 bytes");
    assertRefused(
        TorchBytes.pickle().storage("FloatStorage", "1", 2).archive(directory, 8),
        "lacks the storage \"archive/data/1\"");
    assertRefused(
        TorchBytes.pickle().storage("FloatStorage", "../byteorder", 1).archive(directory, 8),
        "lacks the storage");
    assertRefused(
        TorchBytes.pickle()
            .ops("(")
            .storage("FloatStorage", "0", 2)
            .storage("HalfStorage", "0", 4)
            .ops("t")
            .archive(directory, 8),
        "in two types");
    assertRefused(
        TorchBytes.pickle().ops("(").text("module").text("x").ops("tQ").archive(directory, 0),
        "no storage's");
    assertRefused(TorchBytes.pickle().text("storage").ops("Q").archive(directory, 0), "storage's");
  }

  @ParameterizedTest
  @CsvSource({
    "os, system",
    "posix, system",
    "builtins, eval",
    "builtins, exec",
    "builtins, getattr",
    "__builtin__, eval",
    "subprocess, Popen",
    "torch, load",
    "torch.hub, load",
    "torch._utils, _rebuild_device_tensor_from_numpy",
    "numpy.core.multiarray, _reconstruct",
    "collections, defaultdict",
    "torch, FloatStorage.__reduce__",
    "'', ''"
  })
  void otherPythonObjectsAreNamed(String module, String name) throws IOException {
    assertRefused(
        TorchBytes.pickle().global(module, name).text("x").ops("\u0085R").archive(directory, 0),
        "\"" + module + "." + name + "\", which is not read");
  }

  @Test
  void instructionsThatDoNotFitAreRefused() throws IOException {
    String[] programs = {
      "",
      "R",
      "N)R",
      "NNR",
      "}Nb",
      "NNb",
      "]Nb",
      "a",
      "]a",
      "}Na",
      "Ns",
      "}Ns",
      "]NNs",
      "(u",
      "}(Nu",
      "t",
      "e",
      "]e",
      "q\0",
      "h\0",
      "j\0\0\0\0",
      "Q",
      "NQ",
      "\u0086",
      "N\u0086",
      "X\377\377\377\377",
      "U\5a",
      "\212\377",
      "G\0",
      "c",
      "cos",
      "cos\n",
      "cos\nsystem",
      "i",
      "o",
      "\u0093",
      "\u0095",
      "P0\n",
      "}]Ns",
      "})Ns",
      "}}Ns",
      "X\1\0\0\0\377",
      "\200\6N"
    };
    for (String program : programs) {
      assertRefused(TorchBytes.pickle().ops(program).archive(directory, 0), "data.pkl");
    }
    assertRefused(TorchBytes.archive(directory, new byte[0], 0), "truncated");
  }

  @Test
  void whatIsSharedOrContainsItselfEnds() throws IOException {
    TorchBytes laughs = TorchBytes.pickle().ops("]q\0");
    for (int i = 0; i < 31; i++) {
      laughs.ops("(h\0h\0tq\0");
    }
    assertRefused(laughs.archive(directory, 0), "exhaust memory");
    assertRefused(TorchBytes.pickle().ops("]q\0h\0a").archive(directory, 0), "nested");
    assertRefused(
        TorchBytes.pickle().ops("}q\0").text("a").ops("h\0s").archive(directory, 0), "nested");
    assertRefused(
        TorchBytes.pickle().ops(")" + "\u0085".repeat(40)).archive(directory, 0), "nested");
  }

  @Test
  void keysAreOfOneKind() throws IOException {
    assertRefused(
        TorchBytes.pickle().ops("}").text("a").ops("NsK\1Ns").archive(directory, 0), "keys");
    assertRefused(TorchBytes.pickle().ops("})Ns").archive(directory, 0), "keys");
  }

  @Test
  void twoTensorsOfOneNameAreRefused() throws IOException {
    TorchBytes twice =
        TorchBytes.pickle()
            .ops("}")
            .text("a.b")
            .tensor(2, 0, TWO, ONE)
            .ops("s")
            .text("a")
            .ops("}")
            .text("b")
            .tensor(2, 0, TWO, ONE)
            .ops("ss");
    assertRefused(twice.archive(directory, 8), "the tensor \"a.b\" twice");
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] whole = Files.readAllBytes(fixture("all.pt"));
    for (int length = 0; length < whole.length; length += 61) {
      assertRefused(
          Files.write(directory.resolve("cut.pt"), Arrays.copyOf(whole, length)), "cut.pt");
    }
  }

  @Test
  void aZipFileOfAnotherKindIsRefused() throws IOException {
    Path file = TorchBytes.archive(directory, new byte[0], 0);
    byte[] bytes = Files.readAllBytes(file);
    for (int i = 0; i + 8 < bytes.length; i++) {
      if (new String(bytes, i, 8, java.nio.charset.StandardCharsets.ISO_8859_1)
          .equals("data.pkl")) {
        bytes[i] = 'x';
      }
    }
    assertRefused(Files.write(file, bytes), "no archive/data.pkl");
    assertRefused(Files.writeString(file, "PK\3\4"), "truncated or damaged");
  }

  private static void assertRefused(Path path, String message) {
    FormatException error = assertThrows(FormatException.class, () -> TorchFile.open(path));
    assertTrue(error.getMessage().contains(message), error.getMessage());
  }
}
