package dev.panatune.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The product with a 4-bit weight against the decoded weight in float64, forward and gradient. */
@ExtendWith(NoLeaks.class)
class QuantizedLinearTest {
  private static final Map<DType, Double> TOLERANCE =
      Map.of(DType.FLOAT32, 2e-6, DType.BFLOAT16, 8e-3, DType.FLOAT16, 1e-3);

  @BeforeEach
  void seed() {
    Rng.seed(7);
  }

  private static QuantizedTensor weight(QuantType type, boolean nested, DType compute, long... s) {
    return weight(32, type, nested, compute, s);
  }

  private static QuantizedTensor weight(
      int blockSize, QuantType type, boolean nested, DType compute, long... s) {
    try (TensorScope _ = TensorScope.open()) {
      QuantConfig config = new QuantConfig(type, blockSize, nested, compute, List.of());
      return QuantizedTensor.quantize(Tensor.randn(DType.FLOAT32, s).mul(0.2), config);
    }
  }

  private static void assertClose(Tensor expected, Tensor found, double tolerance, String what) {
    Tensor exact = expected.to(DType.FLOAT64);
    double error = found.to(DType.FLOAT64).sub(exact).abs().max().item();
    double largest = exact.abs().max().item();
    assertTrue(error <= tolerance * largest, what + ": " + error + " of " + largest);
  }

  /**
   * All shapes of input: one row and a few (the codes are read in place), more, batches, odd sizes.
   */
  private static final long[][] LEADING = {{}, {1}, {3}, {8}, {9}, {2, 7}, {2, 3, 4}};

  /**
   * Block size, rows, columns: blocks within rows, which few rows of input read a block at a time,
   * and across.
   */
  private static final long[][] SHAPES = {{32, 33, 71}, {64, 33, 192}, {128, 7, 128}};

  @ParameterizedTest
  @MethodSource("dev.panatune.quant.CodesTest#paths")
  void productAndGradientsAreThoseOfTheDecodedWeight(String path) {
    try (CpuKernels _ = CpuKernels.choose(path)) {
      for (QuantType type : QuantType.values()) {
        for (DType compute : TOLERANCE.keySet()) {
          for (boolean nested : new boolean[] {false, true}) {
            for (long[] s : SHAPES) {
              try (QuantizedTensor weight = weight((int) s[0], type, nested, compute, s[1], s[2])) {
                for (int i = 0; i < LEADING.length; i++) {
                  check(weight, LEADING[i], i % 2 == 0);
                }
              }
            }
          }
        }
      }
    }
  }

  private static void check(QuantizedTensor weight, long[] leading, boolean withBias) {
    DType compute = weight.config().computeDtype();
    double tolerance = TOLERANCE.get(compute);
    long rows = weight.shape()[0];
    try (TensorScope _ = TensorScope.open()) {
      Tensor dense = weight.dequantize(compute).to(DType.FLOAT64);
      Tensor input =
          Tensor.randn(DType.FLOAT32, append(leading, weight.shape()[1])).requiresGrad(true);
      Tensor bias = withBias ? Tensor.randn(DType.FLOAT32, rows).requiresGrad(true) : null;
      Tensor output = weight.linear(input, bias);
      assertArrayEquals(append(leading, rows), output.shape());
      assertEquals(DType.FLOAT32, output.dtype());

      Tensor rounded = input.detach().to(compute).to(DType.FLOAT64);
      Tensor expected = rounded.matmul(dense.t());
      if (withBias) {
        expected = expected.add(bias.detach().to(DType.FLOAT64));
      }
      String what = weight + " x " + input;
      assertClose(expected, output, tolerance, what);

      Tensor gradient = Tensor.randn(DType.FLOAT32, append(leading, rows));
      Autograd.backward(output, gradient);
      Tensor exact = gradient.to(compute).to(DType.FLOAT64);
      assertClose(exact.matmul(dense), input.grad(), tolerance, "input gradient of " + what);
      if (withBias) {
        Tensor sum = gradient.to(DType.FLOAT64).reshape(-1, rows).sum(0, false);
        assertClose(sum, bias.grad(), 1e-6, "bias gradient of " + what);
      }
    }
  }

  private static long[] append(long[] leading, long last) {
    long[] shape = Arrays.copyOf(leading, leading.length + 1);
    shape[leading.length] = last;
    return shape;
  }

  @Test
  void autocastChoosesTheTypeOfTheProduct() {
    try (QuantizedTensor weight = weight(QuantType.NF4, true, DType.FLOAT32, 16, 32);
        TensorScope _ = TensorScope.open()) {
      Tensor input = Tensor.randn(DType.FLOAT32, 12, 32).requiresGrad(true);
      Tensor output;
      try (Autocast _ = Autocast.enable(Device.Kind.CPU, DType.BFLOAT16)) {
        output = weight.linear(input, null);
      }
      assertEquals(DType.BFLOAT16, output.dtype());
      Tensor expected = input.detach().matmul(weight.dequantize(DType.FLOAT32).t());
      assertClose(expected, output, 2e-2, "bf16 under autocast");
      Autograd.backward(output.to(DType.FLOAT32).sum());
      assertEquals(DType.FLOAT32, input.grad().dtype());
    }
  }

  @Test
  void theGraphKeepsNeitherInputNorDecodedWeight() {
    try (QuantizedTensor weight = weight(QuantType.NF4, false, DType.FLOAT32, 256, 512);
        TensorScope _ = TensorScope.open()) {
      Tensor scale = Tensor.ones(DType.FLOAT32, 512).requiresGrad(true);
      long before = NativeMemory.liveBytes();
      Tensor output;
      try (TensorScope inner = TensorScope.open()) {
        Tensor input = Tensor.randn(DType.FLOAT32, 64, 512).add(scale);
        output = inner.moveToOuter(weight.linear(input, null));
      }
      assertEquals(output.byteSize(), NativeMemory.liveBytes() - before);
      NativeMemory.resetPeak();
      long live = NativeMemory.liveBytes();
      Autograd.backward(output.sum());
      long dense = 256 * 512 * 4;
      assertTrue(NativeMemory.peakBytes() - live >= dense, "the weight is decoded again");
      assertTrue(NativeMemory.liveBytes() - live < dense / 8, "and not kept");
    }
  }

  @Test
  void shapesThatDoNotFitAreNamed() {
    try (QuantizedTensor weight = weight(QuantType.NF4, true, DType.FLOAT32, 16, 32);
        QuantizedTensor cube = weight(QuantType.NF4, false, DType.FLOAT32, 2, 8, 32);
        TensorScope _ = TensorScope.open()) {
      Tensor input = Tensor.zeros(DType.FLOAT32, 3, 31);
      String wrongInput =
          assertThrows(TensorException.class, () -> weight.linear(input, null)).getMessage();
      assertTrue(wrongInput.contains("[3, 31]") && wrongInput.contains("[16, 32]"), wrongInput);
      Tensor fitting = Tensor.zeros(DType.FLOAT32, 3, 32);
      String wrongBias =
          assertThrows(TensorException.class, () -> weight.linear(fitting, input)).getMessage();
      assertTrue(wrongBias.contains("bias") && wrongBias.contains("[16]"), wrongBias);
      assertThrows(TensorException.class, () -> cube.linear(fitting, null));
      Tensor integers = Tensor.zeros(DType.INT64, 3, 32);
      assertThrows(TensorException.class, () -> weight.linear(integers, null));
    }
  }
}
