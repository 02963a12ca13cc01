package dev.panatune.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class LinearTest {
  private static final Op LINEAR = Op.find("panatune::linear", "");
  private static final Op ATEN_LINEAR = Op.find("aten::linear", "");

  /**
   * Few rows (read in place), odd sizes, several blocks of rows, a weight of several panels each
   * way.
   */
  private static final long[][] ROWS_OUT_IN = {
    {1, 64, 40},
    {3, 7, 37},
    {8, 33, 64},
    {9, 40, 65},
    {140, 50, 300},
    {10, 2100, 600},
    {10, 600, 2100}
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

  /** And, in half precision, is no farther from it than libtorch's own. */
  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void equalsThePlainFormula(String path, DType dtype) {
    for (long[] sizes : ROWS_OUT_IN) {
      Tensor[] leaves = leaves(dtype, sizes);
      for (boolean biased : new boolean[] {false, true}) {
        Function<Tensor[], Tensor> formula =
            in -> biased ? in[0].matmul(in[1].t()).add(in[2]) : in[0].matmul(in[1].t());
        Tensor[] taken = Arrays.copyOf(leaves, biased ? 3 : 2);
        Comparison fused = Comparison.on(path, in -> LINEAR.call((Object[]) in), formula, taken);
        fused.assertWithin(Comparison.rounding(dtype));
        if (dtype.byteSize() == 2) {
          fused.assertNoWorseThan(
              Comparison.on(path, in -> ATEN_LINEAR.call((Object[]) in), formula, taken));
        }
      }
    }
  }

  /** Input, weight and bias. */
  private static Tensor[] leaves(DType dtype, long[] rowsOutIn) {
    return new Tensor[] {
      Tensor.randn(DType.FLOAT32, 2, rowsOutIn[0], rowsOutIn[2]).to(dtype),
      Tensor.randn(DType.FLOAT32, rowsOutIn[1], rowsOutIn[2]).to(dtype),
      Tensor.randn(DType.FLOAT32, rowsOutIn[1]).to(dtype)
    };
  }

  @Test
  void inFp32IsTheSameBitForBitAsLibtorchs() {
    Tensor input = Tensor.randn(DType.FLOAT32, 3, 17, 65);
    Tensor weight = Tensor.randn(DType.FLOAT32, 33, 65);
    Tensor bias = Tensor.randn(DType.FLOAT32, 33);
    assertTrue(LINEAR.call(input, weight, bias).equal(ATEN_LINEAR.call(input, weight, bias)));
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32", "BFLOAT16"})
  void aFrozenWeightKeepsNothingOfTheInput(DType dtype) {
    Tensor weight = Tensor.randn(DType.FLOAT32, 32, 64).to(dtype);
    Tensor leaf = Tensor.randn(DType.FLOAT32, 256, 64).to(dtype).requiresGrad(true);
    long before = NativeMemory.liveBytes();
    Tensor output;
    try (TensorScope inner = TensorScope.open()) {
      Tensor input = leaf.mul(2);
      output = inner.moveToOuter(LINEAR.call(input, weight));
    }
    assertEquals(before + 256 * 32 * dtype.byteSize(), NativeMemory.liveBytes());
    Autograd.backward(output.sum());
    assertNull(weight.grad());
    assertEquals(DType.FLOAT32, leaf.grad().to(DType.FLOAT32).dtype());
  }

  @Test
  void autocastComputesInItsDTypeAndKeepsTheGradientsInTheParameters() {
    Tensor input = Tensor.randn(DType.FLOAT32, 5, 8);
    Tensor weight = Tensor.randn(DType.FLOAT32, 4, 8).requiresGrad(true);
    Tensor bias = Tensor.randn(DType.FLOAT32, 4).requiresGrad(true);
    Tensor output;
    try (Autocast _ = Autocast.enable(Device.Kind.CPU, DType.BFLOAT16)) {
      output = LINEAR.call(input, weight, bias);
    }
    assertEquals(DType.BFLOAT16, output.dtype());
    Autograd.backward(output.to(DType.FLOAT32).sum());
    assertEquals(DType.FLOAT32, weight.grad().dtype());
    assertEquals(5.0, bias.grad().toFloats()[0]);
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void noRowsGiveNoRows(String path, DType dtype) {
    try (CpuPath _ = CpuPath.use(path)) {
      Tensor output =
          LINEAR.call(
              Tensor.zeros(dtype, 2, 0, 8), Tensor.zeros(dtype, 3, 8), Tensor.ones(dtype, 3));
      assertEquals(0, output.numel());
      assertEquals(3, output.size(-1));
    }
  }

  @Test
  void wrongShapesAndTypesAreNamed() {
    Tensor input = Tensor.zeros(DType.FLOAT32, 2, 4);
    Tensor weight = Tensor.zeros(DType.FLOAT32, 5, 4);
    refused("panatune::linear: weight [4] is not [out, in]", input, Tensor.zeros(DType.FLOAT32, 4));
    refused(
        "panatune::linear: input [2, 4] does not end in the 3 of weight [5, 3]",
        input,
        Tensor.zeros(DType.FLOAT32, 5, 3));
    refused("bias [4] is not [5]", input, weight, Tensor.zeros(DType.FLOAT32, 4));
    refused("input is Float, weight BFloat16", input, weight.to(DType.BFLOAT16));
    refused("input is Long", input.to(DType.INT64), weight.to(DType.INT64));
  }

  private static void refused(String message, Object... arguments) {
    TensorException refused = assertThrows(TensorException.class, () -> LINEAR.call(arguments));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }
}
