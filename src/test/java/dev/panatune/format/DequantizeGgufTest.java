package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import dev.panatune.natives.NativeLibraries;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.MappedFile;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.tensor.Threads;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code panatune::dequantize_gguf} against the gguf package's own dequantisation. */
class DequantizeGgufTest {
  private static Op dequantize;

  private final GgufFile file = GgufFile.open(Fixtures.path("all_types.gguf"));
  private TensorScope scope;

  @BeforeAll
  static void loadTheNatives() {
    NativeLibraries.load();
    dequantize = Op.find("panatune::dequantize_gguf", "");
  }

  @BeforeEach
  void openTheScope() {
    scope = TensorScope.open();
  }

  @AfterEach
  void closeTheScope() {
    scope.close();
  }

  static Stream<GgmlType> dequantizable() {
    return Stream.of(GgmlType.values()).filter(GgmlType::isDequantizable);
  }

  private Tensor blocks(GgufTensorInfo info) {
    try (MappedFile mapped = MappedFile.open(file.path())) {
      return mapped.tensor(info.offset(), DType.UINT8, info.byteSize());
    }
  }

  private static Tensor expected(GgmlType type) {
    return TensorFile.read(Fixtures.path("all_types_dequantized.safetensors")).get(type.name());
  }

  @ParameterizedTest
  @MethodSource("dequantizable")
  void equalsPythonBitForBit(GgmlType type) {
    GgufTensorInfo info = file.tensor("t." + type);
    Tensor weights = dequantize.call(blocks(info), type.id(), info.shape(), DType.FLOAT32);
    assertArrayEquals(info.shape(), weights.shape());
    assertArrayEquals(bits(expected(type)), bits(weights));
  }

  @ParameterizedTest
  @MethodSource("dequantizable")
  void otherTypesAreFloat32Rounded(GgmlType type) {
    GgufTensorInfo info = file.tensor("t." + type);
    for (DType dtype : new DType[] {DType.BFLOAT16, DType.FLOAT16, DType.FLOAT64}) {
      Tensor weights = dequantize.call(blocks(info), type.id(), info.shape(), dtype);
      assertEquals(dtype, weights.dtype());
      assertArrayEquals(
          bits(expected(type).to(dtype).to(DType.FLOAT32)),
          bits(weights.to(DType.FLOAT32)),
          dtype.name());
    }
  }

  @Test
  void manyBlocksOnSeveralThreadsEqualFewOnOne() {
    GgufTensorInfo info = file.tensor("t.Q4_K");
    Tensor few = blocks(info);
    int copies = 500;
    Tensor many = few.reshape(1, -1).expand(copies, few.numel()).contiguous();
    int threads = Threads.intraOp();
    try {
      Threads.setIntraOp(2);
      Tensor weights =
          dequantize.call(many, info.type().id(), new long[] {copies * 3L, 256}, DType.FLOAT32);
      Tensor repeated =
          expected(info.type()).reshape(1, -1).expand(copies, 3 * 256).reshape(-1, 256);
      assertArrayEquals(bits(repeated), bits(weights));
    } finally {
      Threads.setIntraOp(threads);
    }
  }

  @Test
  void anEmptyTensorHasItsShape() {
    Tensor none = Tensor.ofBytes(new byte[0], 0);
    long[] shape = {0, 32};
    assertArrayEquals(
        shape, dequantize.call(none, GgmlType.Q4_0.id(), shape, DType.FLOAT32).shape());
  }

  @Test
  void sizesThatDoNotFitAreRefused() {
    Tensor block = Tensor.ofBytes(new byte[18], 18);
    assertRefused("18 bytes are given, but shape [64] has 2", block, 2, new long[] {64});
    assertRefused("no multiple of the type's block of 32", block, 2, new long[] {9, 2});
    assertRefused("impossible shape", block, 2, new long[] {1L << 40, 1L << 40, 32});
    assertRefused("impossible shape", block, 2, new long[] {-1, 32});
    assertRefused("type 16 is not supported", block, GgmlType.IQ2_XXS.id(), new long[] {256});
    assertRefused("contiguous uint8", Tensor.zeros(DType.INT8, 18), 2, new long[] {32});
    TensorException error =
        assertThrows(
            TensorException.class, () -> dequantize.call(block, 2, new long[] {32}, DType.INT32));
    assertTrue(error.getMessage().contains("cannot dequantise to Int"), error.getMessage());
  }

  private static void assertRefused(String message, Tensor blocks, int type, long[] shape) {
    TensorException error =
        assertThrows(
            TensorException.class, () -> dequantize.call(blocks, type, shape, DType.FLOAT32));
    assertTrue(error.getMessage().contains(message), error.getMessage());
  }

  private static int[] bits(Tensor tensor) {
    float[] values = tensor.toFloats();
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }
}
