package dev.panatune.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Arrays;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code panatune::lora_linear}: one or more layers on one input, dense and in 4 bits. */
class LoraLinearKernelTest {
  private static final Op LORA_LINEAR = Op.find("panatune::lora_linear", "");
  private static final Op QUANTIZE = Op.find("panatune::quantize_4bit", "");
  private static final Op DEQUANTIZE = Op.find("panatune::dequantize_4bit", "");
  private static final double SCALING = 0.5;
  private static final int BLOCK = 64;

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

  /**
   * The frozen part of a group of layers.
   *
   * @param weights [out, in] of each, as they are multiplied
   * @param parts the operator's argument
   */
  private record Base(Tensor[] weights, Tensor[] parts, int blockSize, DType dtype) {
    static Base dense(DType dtype, long in, long... outs) {
      Tensor[] weights =
          Arrays.stream(outs)
              .mapToObj(out -> Tensor.randn(DType.FLOAT32, out, in).to(dtype))
              .toArray(Tensor[]::new);
      return new Base(weights, weights, 0, dtype);
    }

    static Base in4Bits(DType dtype, long in, long... outs) {
      Tensor code =
          Tensor.ofFloats(
              new float[] {
                -1, -0.7f, -0.53f, -0.39f, -0.28f, -0.18f, -0.09f, 0, 0.08f, 0.16f, 0.25f, 0.34f,
                0.44f, 0.56f, 0.72f, 1
              },
              16);
      Tensor[] weights = new Tensor[outs.length];
      Tensor[] parts = new Tensor[6 * outs.length];
      for (int i = 0; i < outs.length; i++) {
        Tensor weight = Tensor.randn(DType.FLOAT32, outs[i], in);
        Tensor[] packed = QUANTIZE.callAll(weight, code, BLOCK, "nf4");
        parts[6 * i] = packed[0];
        parts[6 * i + 1] = packed[1];
        parts[6 * i + 5] = code;
        long[] shape = {outs[i], in};
        weights[i] = DEQUANTIZE.call(packed[0], packed[1], code, BLOCK, "nf4", shape, dtype);
      }
      return new Base(weights, parts, BLOCK, dtype);
    }

    int layers() {
      return weights.length;
    }

    /** The first bias alone is there. */
    Tensor[] outputs(Tensor input, Tensor bias, Tensor[] a, Tensor[] b, double dropout) {
      Tensor[] biases = new Tensor[layers()];
      biases[0] = bias;
      double[] scalings = filled(SCALING);
      double[] dropouts = filled(dropout);
      return LORA_LINEAR.callAll(
          input, parts, biases, a, b, scalings, dropouts, blockSize, blockSize == 0 ? null : dtype);
    }

    private double[] filled(double value) {
      return IntStream.range(0, layers()).mapToDouble(_ -> value).toArray();
    }

    /** Input, bias, and every layer's A and B: all fp32, the first two exact in the dtype. */
    Tensor[] leaves(int rank, long... leading) {
      Stream<Tensor> first =
          Stream.of(
              Tensor.randn(DType.FLOAT32, with(leading, weights[0].size(1))).to(dtype),
              Tensor.randn(DType.FLOAT32, weights[0].size(0)).to(dtype));
      Stream<Tensor> factors =
          Arrays.stream(weights)
              .flatMap(weight ->
                  Stream.of(
                      Tensor.randn(DType.FLOAT32, rank, weight.size(1)),
                      Tensor.randn(DType.FLOAT32, weight.size(0), rank)));
      return Stream.concat(first.map(tensor -> tensor.to(DType.FLOAT32)), factors)
          .toArray(Tensor[]::new);
    }

    /** The operator on {@link #leaves}, all outputs side by side. */
    Tensor operator(Tensor[] leaves, double dropout) {
      Rng.seed(5);
      Tensor[] results =
          outputs(leaves[0].to(dtype), leaves[1].to(dtype), a(leaves), b(leaves), dropout);
      return Tensor.cat(-1, results);
    }

    /** The formula in plain operations. */
    Tensor formula(Tensor[] leaves) {
      Tensor[] results = new Tensor[layers()];
      for (int i = 0; i < results.length; i++) {
        Tensor weight = weights[i].to(leaves[0].dtype());
        Tensor update = leaves[0].matmul(a(leaves)[i].t()).matmul(b(leaves)[i].t()).mul(SCALING);
        results[i] = leaves[0].matmul(weight.t()).add(update);
      }
      results[0] = results[0].add(leaves[1]);
      return Tensor.cat(-1, results);
    }

    private Tensor[] a(Tensor[] leaves) {
      return every(leaves, 2);
    }

    private Tensor[] b(Tensor[] leaves) {
      return every(leaves, 3);
    }

    private Tensor[] every(Tensor[] leaves, int first) {
      return IntStream.range(0, layers())
          .mapToObj(i -> leaves[first + 2 * i])
          .toArray(Tensor[]::new);
    }
  }

  private static Tensor identity(long width) {
    return Op.find("aten::eye", "").call(width, DType.FLOAT32, null, null, null);
  }

  private static long[] with(long[] leading, long last) {
    long[] shape = Arrays.copyOf(leading, leading.length + 1);
    shape[leading.length] = last;
    return shape;
  }

  /** One layer, several of different sizes, a weight of several panels. */
  private static Stream<Base> bases(DType dtype) {
    return Stream.of(
        Base.dense(dtype, 37, 33),
        Base.dense(dtype, 64, 48, 16, 40),
        Base.dense(dtype, 1030, 1040),
        Base.in4Bits(dtype, 37, 33),
        Base.in4Bits(dtype, 64, 48, 16, 40),
        Base.in4Bits(dtype, 1030, 1040));
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void equalsThePlainFormula(String path, DType dtype) {
    try (CpuPath _ = CpuPath.use(path)) {
      bases(dtype)
          .forEach(base -> {
            // Few rows (the weight is read in place) and more.
            for (long rows : new long[] {1, 4, 11}) {
              Comparison.of(
                      leaves -> base.operator(leaves, 0), base::formula, base.leaves(3, 2, rows))
                  // The fp64 product of fp32 leaves; the operator sees the leaves in its own type.
                  .assertWithin(dtype == DType.FLOAT64 ? 1e-6 : 1.5 * Comparison.rounding(dtype));
            }
          });
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void inHalfPrecisionItIsNoWorseThanThePlainOperations(String path, DType dtype) {
    // libtorch's own fp16 products are not ours to compare.
    boolean compared =
        dtype == DType.FLOAT16 ? !path.equals("gemm=native") : dtype == DType.BFLOAT16;
    if (!compared) {
      return;
    }
    bases(dtype)
        .forEach(base -> {
          Tensor[] leaves = base.leaves(16, 2, 20);
          assertNoWorse(base, leaves, path, 0);
          assertNoWorse(base, leaves, path, 0.25);
        });
  }

  /** The exact value under dropout is the operator's own in fp64, whose mask is the same. */
  private static void assertNoWorse(Base base, Tensor[] leaves, String path, double dropout) {
    Tensor[] wide =
        Arrays.stream(base.weights()).map(w -> w.to(DType.FLOAT64)).toArray(Tensor[]::new);
    Base exact = new Base(wide, wide, 0, DType.FLOAT64);
    Function<Tensor[], Tensor> operator = in -> base.operator(in, dropout);
    Function<Tensor[], Tensor> formula = in -> exact.operator(in, dropout);
    Comparison.on(path, operator, formula, leaves)
        .assertNoWorseThan(Comparison.on("kernels=composite", operator, formula, leaves));
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void dropoutZeroesItsShareAndScalesTheRest(String path, DType dtype) {
    try (CpuPath _ = CpuPath.use(path)) {
      long width = 96;
      Tensor identity = identity(width);
      Tensor zeros = Tensor.zeros(dtype, width, width);
      Base base = new Base(new Tensor[] {zeros, zeros}, new Tensor[] {zeros, zeros}, 0, dtype);
      Tensor input = Tensor.ones(dtype, 64, width).requiresGrad(true);
      Tensor[] factors = {identity, identity};
      Tensor[] dropped = base.outputs(input, null, factors, factors, 0.25);
      for (Tensor output : dropped) {
        Tensor kept = output.gt(0).to(DType.FLOAT32);
        assertTrue(kept.mul(SCALING / 0.75).sub(output).abs().max().item() < 5e-3);
        assertEquals(0.75, kept.mean().item(), 0.02);
        // As random along a row as along a column.
        for (int side = 0; side < 2; side++) {
          Tensor share = kept.mean(side, false);
          assertTrue(share.max().item() < 0.97 && share.min().item() > 0.5, share.toString());
        }
      }
      assertFalse(dropped[0].equal(dropped[1]));
      Autograd.backward(dropped[0].sum());
      assertTrue(input.grad().equal(dropped[0].detach()));
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, ''", "BFLOAT16, ''", "BFLOAT16, kernels=composite", "FLOAT64, ''"})
  void theGeneratorsStateDecidesWhatIsDropped(DType dtype, String path) {
    try (CpuPath _ = CpuPath.use(path)) {
      Base base = Base.dense(dtype, 24, 16, 8);
      Tensor[] leaves = base.leaves(4, 10);
      Tensor[] a = base.a(leaves);
      Tensor[] b = base.b(leaves);
      Tensor input = leaves[0].to(dtype);
      byte[] state = Rng.state();
      Tensor first = Tensor.cat(-1, base.outputs(input, null, a, b, 0.5));
      byte[] after = Rng.state();
      assertFalse(first.equal(Tensor.cat(-1, base.outputs(input, null, a, b, 0.5))));
      Rng.restore(state);
      assertTrue(first.equal(Tensor.cat(-1, base.outputs(input, null, a, b, 0.5))));
      assertArrayEquals(after, Rng.state());
      base.outputs(input, null, a, b, 0);
      assertArrayEquals(after, Rng.state());
    }
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, 0", "BFLOAT16, 0", "BFLOAT16, 0.5"})
  void keepsTheInputOnceForAllLayersAndNoMask(DType dtype, double dropout) {
    Base base = Base.dense(dtype, 64, 48, 16);
    Tensor[] leaves = base.leaves(4, 256);
    Tensor[] a = base.a(leaves);
    Tensor[] b = base.b(leaves);
    a[0].requiresGrad(true);
    b[0].requiresGrad(true);
    Tensor leaf = leaves[0].to(dtype).requiresGrad(true);
    long before = NativeMemory.liveBytes();
    try (TensorScope inner = TensorScope.open()) {
      Tensor[] results = base.outputs(leaf.mul(2), null, a, b, dropout);
      for (Tensor result : results) {
        inner.moveToOuter(result);
      }
    }
    long outputs = 256 * (48 + 16);
    long input = 256 * 64;
    long innerProducts = 2 * 256 * 4;
    assertEquals(
        (outputs + input + innerProducts) * dtype.byteSize(), NativeMemory.liveBytes() - before);
  }

  @Test
  void autocastComputesInItsDTypeAndLeavesTheMastersGradientsInFp32() {
    Base base = Base.dense(DType.FLOAT32, 24, 16, 8);
    Tensor[] leaves = base.leaves(4, 10);
    Tensor[] a = base.a(leaves);
    Tensor[] b = base.b(leaves);
    for (Tensor leaf : leaves) {
      leaf.requiresGrad(true);
    }
    Tensor[] results;
    try (Autocast _ = Autocast.enable(Device.Kind.CPU, DType.BFLOAT16)) {
      results = base.outputs(leaves[0], leaves[1], a, b, 0);
    }
    for (Tensor result : results) {
      assertEquals(DType.BFLOAT16, result.dtype());
    }
    Autograd.backward(Tensor.cat(-1, results).to(DType.FLOAT32).sum());
    for (Tensor leaf : leaves) {
      assertEquals(DType.FLOAT32, leaf.grad().dtype());
    }
    // Where the sums run in fp32 nothing of A's gradient was rounded but the output's gradient,
    // ones.
    Tensor exact = Tensor.ones(DType.FLOAT32, 1, 16).matmul(b[0].detach()).mul(SCALING).t();
    Tensor sums = leaves[0].detach().to(DType.BFLOAT16).to(DType.FLOAT32).sum(0, true);
    assertTrue(Comparison.distance(a[0].grad(), exact.matmul(sums)) < 5e-3);
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void aTrainedWeightGetsItsGradient(String path, DType dtype) {
    Base frozen = Base.dense(dtype, 24, 16);
    Tensor weight = frozen.weights()[0].to(DType.FLOAT32);
    Tensor[] leaves =
        Stream.concat(Arrays.stream(frozen.leaves(4, 10)), Stream.of(weight))
            .toArray(Tensor[]::new);
    Function<Tensor[], Tensor> operator =
        in -> {
          Tensor[] trained = {in[4].to(dtype)};
          return new Base(trained, trained, 0, dtype).operator(in, 0);
        };
    Function<Tensor[], Tensor> formula =
        in -> new Base(new Tensor[] {in[4]}, null, 0, dtype).formula(in);
    Comparison fused = Comparison.on(path, operator, formula, leaves);
    fused.assertWithin(dtype == DType.FLOAT64 ? 1e-6 : 1.5 * Comparison.rounding(dtype));
    if (dtype.byteSize() == 2) {
      fused.assertNoWorseThan(Comparison.on("kernels=composite", operator, formula, leaves));
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void noRowsGiveNoRows(String path, DType dtype) {
    try (CpuPath _ = CpuPath.use(path)) {
      Base base = Base.dense(dtype, 24, 16);
      Tensor result = base.operator(base.leaves(4, 2, 0), 0);
      assertArrayEquals(new long[] {2, 0, 16}, result.shape());
    }
  }

  @Test
  void wrongShapesAndTypesAreNamed() {
    Tensor input = Tensor.zeros(DType.FLOAT32, 2, 4);
    Tensor weight = Tensor.zeros(DType.FLOAT32, 5, 4);
    Tensor a = Tensor.zeros(DType.FLOAT32, 3, 4);
    Tensor b = Tensor.zeros(DType.FLOAT32, 5, 3);
    refused("A Float [4, 3] and B Float [5, 3] of layer 0", input, weight, null, a.t(), b, 0);
    refused("weight Float [4, 5] of layer 0 is not Float [5, 4]", input, weight.t(), null, a, b, 0);
    refused("weight Float [5, 4]", input.to(DType.BFLOAT16), weight, null, a, b, 0);
    refused(
        "bias [3] of layer 0 is not [5]", input, weight, Tensor.zeros(DType.FLOAT32, 3), a, b, 0);
    refused("a dropout probability is 1.5", input, weight, null, a, b, 1.5);
    TensorException refused =
        assertThrows(
            TensorException.class,
            () ->
                LORA_LINEAR.callAll(
                    input,
                    new Tensor[] {weight},
                    new Tensor[1],
                    new Tensor[] {a, a},
                    new Tensor[] {b},
                    new double[1],
                    new double[1]));
    assertTrue(refused.getMessage().contains("of 2 layers come 1 B"), refused.getMessage());
  }

  private static void refused(
      String message, Tensor input, Tensor weight, Tensor bias, Tensor a, Tensor b, double p) {
    TensorException refused =
        assertThrows(
            TensorException.class,
            () ->
                LORA_LINEAR.callAll(
                    input,
                    new Tensor[] {weight},
                    new Tensor[] {bias},
                    new Tensor[] {a},
                    new Tensor[] {b},
                    new double[] {1},
                    new double[] {p}));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }
}
