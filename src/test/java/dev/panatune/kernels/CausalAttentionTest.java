package dev.panatune.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CausalAttentionTest {
  private static final Op ATTENTION = Op.find("panatune::causal_attention", "");

  /** Batch, query heads, key heads, query rows, keys, head size. */
  private static final long[][] SIZES = {
    {2, 4, 2, 1, 37, 16}, // a step of decoding
    {1, 6, 2, 4, 9, 20},
    {2, 4, 2, 5, 5, 64},
    {1, 4, 4, 50, 50, 64}, // more than one block
    {1, 3, 1, 130, 130, 80},
    {2, 2, 2, 96, 300, 33} // keys before the first query
  };

  private TensorScope scope;

  @BeforeEach
  void open() {
    scope = TensorScope.open();
    Rng.seed(1);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void equalsThePlainFormula(String path, DType dtype) {
    try (CpuPath _ = CpuPath.use(path)) {
      for (long[] s : SIZES) {
        double scale = 1.5 / Math.sqrt(s[5]);
        Comparison.of(
                in -> ATTENTION.call(in[0], in[1], in[2], scale),
                in -> plain(in[0], in[1], in[2], scale),
                heads(dtype, s[0], s[1], s[3], s[5]),
                heads(dtype, s[0], s[2], s[4], s[5]),
                heads(dtype, s[0], s[2], s[4], s[5]))
            .assertWithin(Comparison.rounding(dtype));
      }
    }
  }

  @Test
  void laterKeysDoNotChangeEarlierRows() {
    Tensor query = heads(DType.FLOAT32, 1, 2, 60, 8);
    Tensor key = heads(DType.FLOAT32, 1, 2, 60, 8);
    Tensor first = ATTENTION.call(query, key, key, 1.0);
    Tensor changed = key.clone();
    changed.narrow(2, 31, 29).fill_(9);
    Tensor second = ATTENTION.call(query, changed, changed, 1.0);
    assertTrue(first.narrow(2, 0, 31).equal(second.narrow(2, 0, 31)));
    assertTrue(!first.narrow(2, 31, 1).equal(second.narrow(2, 31, 1)));
  }

  @Test
  void joiningTheHeadsNeedsNoCopy() {
    Tensor query = heads(DType.FLOAT32, 2, 4, 60, 8);
    Tensor output = ATTENTION.call(query, query, query, 1.0).transpose(1, 2);
    assertTrue(output.isContiguous());
    assertEquals(output.address(), output.reshape(2, 60, 32).address());
  }

  @Test
  void memoryIsLinearInTheLength() {
    long quarter = peakBytes(512);
    long whole = peakBytes(2048);
    assertTrue(whole < 5 * quarter, whole + " bytes for 4 times the rows of " + quarter);
  }

  @Test
  void autocastTakesMixedTypes() {
    Tensor query = heads(DType.FLOAT32, 1, 2, 6, 8);
    Tensor key = heads(DType.BFLOAT16, 1, 2, 6, 8);
    try (Autocast _ = Autocast.enable(Device.Kind.CPU, DType.BFLOAT16)) {
      assertEquals(DType.BFLOAT16, ATTENTION.call(query, key, key, 1.0).dtype());
    }
  }

  @Test
  void wrongShapesAndTypesAreNamed() {
    Tensor query = heads(DType.FLOAT32, 2, 4, 3, 8);
    refused("query [2, 4, 3, 8], key [2, 3, 3, 8]", query, heads(DType.FLOAT32, 2, 3, 3, 8));
    refused("more rows than key [2, 4, 2, 8]", query, heads(DType.FLOAT32, 2, 4, 2, 8));
    refused("query is Float, key BFloat16", query, heads(DType.BFLOAT16, 2, 4, 3, 8));
    refused("are not [B, Hq, T, D]", query.select(0, 0), query.select(0, 0));
  }

  private static void refused(String message, Tensor query, Tensor key) {
    TensorException refused =
        assertThrows(TensorException.class, () -> ATTENTION.call(query, key, key, 1.0));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }

  private static long peakBytes(long length) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor query = heads(DType.BFLOAT16, 1, 4, length, 32);
      Tensor key = heads(DType.BFLOAT16, 1, 2, length, 32);
      NativeMemory.resetPeak();
      long before = NativeMemory.liveBytes();
      ATTENTION.call(query, key, key, 1.0);
      return NativeMemory.peakBytes() - before;
    }
  }

  /** [B, H, T, D] as projections give it: in memory [B, T, H, D]. */
  private static Tensor heads(DType dtype, long batch, long heads, long rows, long depth) {
    return Tensor.randn(DType.FLOAT32, batch, rows, heads, depth).to(dtype).transpose(1, 2);
  }

  private static Tensor plain(Tensor query, Tensor key, Tensor value, double scale) {
    long group = query.size(1) / key.size(1);
    long rows = query.size(2);
    long keys = key.size(2);
    Tensor scores = query.matmul(key.repeatInterleave(group, 1).transpose(2, 3)).mul(scale);
    Tensor position = Tensor.arange(keys - rows, keys, DType.INT64).unsqueeze(1);
    Tensor later = Tensor.arange(0, keys, DType.INT64).unsqueeze(0).sub(position).gt(0);
    return scores
        .maskedFill(later, Double.NEGATIVE_INFINITY)
        .softmax(-1)
        .matmul(value.repeatInterleave(group, 1));
  }
}
