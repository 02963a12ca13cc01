package dev.panatune.kernels;

import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * {@code panatune::linear_4bit} against the decoded weight in fp64, and in half precision against
 * libtorch's product with the weight as bitsandbytes decodes it. {@code QuantizedLinearTest} has
 * all shapes and types of weights.
 */
@ExtendWith(OneThread.class)
class Linear4bitTest {
  private static final Op ATEN_LINEAR = Op.find("aten::linear", "");

  /** Block size, rows and columns of the weight: blocks within its rows, and across. */
  private static final int[][] WEIGHTS = {{64, 96, 192}, {32, 33, 71}};

  /** Rows of input: few, for which the codes are read in place, and more. */
  private static final long[] ROWS = {1, 8, 9, 40};

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void isNoWorseThanTheProductWithTheDecodedWeight(String path, DType dtype) {
    if (dtype == DType.FLOAT64) {
      return;
    }
    Rng.seed(1);
    for (int[] s : WEIGHTS) {
      QuantConfig config = new QuantConfig(QuantType.NF4, s[0], true, dtype, List.of());
      try (TensorScope _ = TensorScope.open();
          QuantizedTensor weight =
              QuantizedTensor.quantize(Tensor.randn(DType.FLOAT32, s[1], s[2]), config)) {
        Tensor decoded = weight.dequantize(dtype);
        Tensor wide = weight.dequantize(DType.FLOAT32).to(DType.FLOAT64);
        Function<Tensor[], Tensor> exact = in -> in[0].matmul(wide.t()).add(in[1]);
        for (long rows : ROWS) {
          Tensor[] leaves = {
            Tensor.randn(DType.FLOAT32, rows, s[2]).to(dtype),
            Tensor.randn(DType.FLOAT32, s[1]).to(dtype)
          };
          Comparison fused = Comparison.on(path, in -> weight.linear(in[0], in[1]), exact, leaves);
          fused.assertWithin(Comparison.rounding(dtype));
          if (dtype.byteSize() == 2) {
            fused.assertNoWorseThan(
                Comparison.on(path, in -> ATEN_LINEAR.call(in[0], decoded, in[1]), exact, leaves));
          }
        }
      }
    }
  }
}
