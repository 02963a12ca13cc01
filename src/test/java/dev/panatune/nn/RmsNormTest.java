package dev.panatune.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import org.junit.jupiter.api.Test;

class RmsNormTest {
  private static final double EPSILON = 1e-3;
  private static final float[] INPUT = {0.5f, -1.5f, 2, 0.25f, 3, 0.125f, -0.75f, 1};
  private static final float[] WEIGHT = {1.1f, 0.9f, -2, 0.3f};

  @Test
  void dividesByTheRootOfTheMeanSquare() {
    try (RmsNorm norm = new RmsNorm(Tensor.ofFloats(WEIGHT, 4).keep(), EPSILON);
        TensorScope _ = TensorScope.open()) {
      float[] actual = norm.forward(Tensor.ofFloats(INPUT, 2, 4)).toFloats();
      float[] expected = new float[8];
      for (int row = 0; row < 2; row++) {
        double square = 0;
        for (int i = 0; i < 4; i++) {
          square += INPUT[4 * row + i] * INPUT[4 * row + i] / 4.0;
        }
        for (int i = 0; i < 4; i++) {
          double quotient = INPUT[4 * row + i] / Math.sqrt(square + EPSILON);
          expected[4 * row + i] = (float) (quotient * WEIGHT[i]);
        }
      }
      assertArrayEquals(expected, actual, 1e-6f);
    }
  }

  @Test
  void roundsOnceToTheInputsDtype() {
    try (TensorScope _ = TensorScope.open();
        RmsNorm norm = new RmsNorm(Tensor.ofFloats(WEIGHT, 4).keep(), EPSILON)) {
      Tensor input = Tensor.ofFloats(INPUT, 2, 4).to(DType.BFLOAT16);
      Tensor output = norm.forward(input);
      assertEquals(DType.BFLOAT16, output.dtype());
      Tensor exact = norm.forward(input.to(DType.FLOAT32));
      assertArrayEquals(exact.to(DType.BFLOAT16).toFloats(), output.toFloats());
    }
  }
}
