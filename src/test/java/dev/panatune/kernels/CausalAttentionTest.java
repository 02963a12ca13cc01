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
import dev.panatune.train.OneThread;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@ExtendWith(OneThread.class)
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

  /** Which keys a row sees and what becomes of its scores; null and 0 for no bound. */
  private record Bounds(Tensor first, int window, double cap) {
    private static final long[] TEXTS = {7, 61, 1, 35, 64};

    /** None, texts of some length one after the other, a window, a cap, and all of them. */
    static List<Bounds> all(long[] sizes) {
      long batches = sizes[3] == sizes[4] ? sizes[0] : 1;
      Tensor first = firstKeys(batches, sizes[3], sizes[4], TEXTS);
      return List.of(
          new Bounds(null, 0, 0),
          new Bounds(first, 0, 0),
          new Bounds(null, 5, 0),
          new Bounds(null, 0, 2),
          new Bounds(first, 40, 1.5));
    }
  }

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

  /** Than the same formula in the type itself, and than libtorch's own attention. */
  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#halfPrecisionInFp32")
  void inHalfPrecisionItIsNoWorseThanThePlainOperations(String path, DType dtype) {
    for (long[] s : SIZES) {
      double scale = 1.5 / Math.sqrt(s[5]);
      Tensor[] leaves = leaves(dtype, s);
      for (Bounds b : Bounds.all(s)) {
        Function<Tensor[], Tensor> formula =
            in -> plain(in[0], in[1], in[2], scale, b.first, b.window, b.cap);
        Function<Tensor[], Tensor> operator =
            in -> ATTENTION.call(in[0], in[1], in[2], scale, b.first, b.window, b.cap);
        Comparison fused = Comparison.on(path, operator, formula, leaves);
        fused.assertNoWorseThan(Comparison.on(path, formula, formula, leaves));
        fused.assertNoWorseThan(Comparison.on("kernels=composite", operator, formula, leaves));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void equalsThePlainFormula(String path, DType dtype) {
    try (CpuPath _ = CpuPath.use(path)) {
      for (long[] s : SIZES) {
        double scale = 1.5 / Math.sqrt(s[5]);
        for (Bounds b : Bounds.all(s)) {
          Comparison.of(
                  in -> ATTENTION.call(in[0], in[1], in[2], scale, b.first, b.window, b.cap),
                  in -> plain(in[0], in[1], in[2], scale, b.first, b.window, b.cap),
                  leaves(dtype, s))
              .assertWithin(Comparison.rounding(dtype));
        }
      }
    }
  }

  @Test
  void wrongBoundsAreNamed() {
    Tensor heads = heads(DType.FLOAT32, 2, 2, 3, 8);
    refusedBounds("first_keys are Int [1, 3]", heads, longs(0, 0, 0).to(DType.INT32), 0);
    refusedBounds("must be Long [B or 1, T]", heads, longs(0, 0), 0);
    refusedBounds("must not fall", heads, longs(0, 1, 0), 0);
    refusedBounds("can see the keys 0 to 0 + i", heads, longs(0, 2, 2), 0);
    refusedBounds("window -1", heads, null, -1);
  }

  private static void refusedBounds(String message, Tensor heads, Tensor first, int window) {
    TensorException refused =
        assertThrows(
            TensorException.class,
            () -> ATTENTION.call(heads, heads, heads, 1.0, first, window, 0.0));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }

  private static Tensor longs(long... values) {
    return Tensor.ofLongs(values, 1, values.length);
  }

  /** Each batch's texts come in another order. */
  private static Tensor firstKeys(long batches, long rows, long keys, long[] texts) {
    long[] first = new long[(int) (batches * rows)];
    for (int b = 0; b < batches; b++) {
      long start = 0;
      int text = b;
      for (long key = 0; key < keys; key++) {
        if (key - start == texts[text % texts.length]) {
          start = key;
          text++;
        }
        if (key >= keys - rows) {
          first[(int) (b * rows + key - (keys - rows))] = start;
        }
      }
    }
    return Tensor.ofLongs(first, batches, rows);
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

  /** Query, key and value. */
  private static Tensor[] leaves(DType dtype, long[] s) {
    return new Tensor[] {
      heads(dtype, s[0], s[1], s[3], s[5]),
      heads(dtype, s[0], s[2], s[4], s[5]),
      heads(dtype, s[0], s[2], s[4], s[5])
    };
  }

  private static Tensor plain(
      Tensor query, Tensor key, Tensor value, double scale, Tensor first, int window, double cap) {
    long group = query.size(1) / key.size(1);
    long rows = query.size(2);
    long keys = key.size(2);
    Tensor products = query.matmul(key.repeatInterleave(group, 1).transpose(2, 3)).mul(scale);
    Tensor scores = cap == 0 ? products : products.div(cap).tanh().mul(cap);
    Tensor row = Tensor.arange(keys - rows, keys, DType.INT64).unsqueeze(1);
    Tensor position = Tensor.arange(0, keys, DType.INT64).unsqueeze(0);
    Tensor seen = row.sub(position).ge(0);
    if (window > 0) {
      seen = seen.logicalAnd(row.sub(position).lt(window));
    }
    if (first != null) {
      Tensor inText = position.unsqueeze(0).sub(first.unsqueeze(2)).ge(0);
      seen = seen.unsqueeze(0).logicalAnd(inText).unsqueeze(1);
    }
    return scores
        .maskedFill(seen.logicalNot(), Double.NEGATIVE_INFINITY)
        .softmax(-1)
        .matmul(value.repeatInterleave(group, 1));
  }
}
