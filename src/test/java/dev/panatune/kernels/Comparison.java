package dev.panatune.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.function.Function;

/**
 * The distance of an operator's output and gradients from the same formula in plain operations in
 * fp64, each as the norm of the difference over the norm of the exact value.
 */
record Comparison(double output, double[] gradients) {
  private static final double FP32_ROUNDING = 0x1p-24;

  /** Runs both on the same inputs, all differentiable, with the same random output gradient. */
  static Comparison of(
      Function<Tensor[], Tensor> operator, Function<Tensor[], Tensor> formula, Tensor... inputs) {
    Tensor[] leaves = leaves(inputs, inputs[0].dtype());
    Tensor[] exactLeaves = leaves(inputs, DType.FLOAT64);
    Tensor output = operator.apply(leaves);
    Tensor exact = formula.apply(exactLeaves);
    assertArrayEquals(exact.shape(), output.shape());
    Tensor gradient = Tensor.randn(DType.FLOAT32, exact.shape()).to(output.dtype());
    Autograd.backward(output, gradient);
    Autograd.backward(exact, gradient.to(DType.FLOAT64));
    double[] gradients = new double[inputs.length];
    for (int i = 0; i < inputs.length; i++) {
      assertEquals(inputs[i].dtype(), leaves[i].grad().dtype());
      gradients[i] = distance(leaves[i].grad(), exactLeaves[i].grad());
    }
    return new Comparison(distance(output, exact), gradients);
  }

  /** {@link #of} on a path, with the same random numbers for every operator. */
  static Comparison on(
      String path,
      Function<Tensor[], Tensor> operator,
      Function<Tensor[], Tensor> formula,
      Tensor... inputs) {
    try (CpuPath _ = CpuPath.use(path)) {
      Rng.seed(2);
      return of(operator, formula, inputs);
    }
  }

  /** The relative distance of two tensors; 0 where both are empty. */
  static double distance(Tensor actual, Tensor exact) {
    double norm = exact.to(DType.FLOAT64).norm().item();
    double difference =
        actual.detach().to(DType.FLOAT64).sub(exact.to(DType.FLOAT64)).norm().item();
    return norm == 0 ? difference : difference / norm;
  }

  /** What rounding the result once to {@code dtype} may cost, in relative distance. */
  static double rounding(DType dtype) {
    return switch (dtype) {
      case FLOAT64 -> 1e-12;
      case FLOAT32 -> 2e-6;
      case FLOAT16 -> 1e-3;
      case BFLOAT16 -> 8e-3;
      default -> throw new IllegalArgumentException(dtype.name());
    };
  }

  void assertWithin(double tolerance) {
    assertTrue(output < tolerance, () -> "output is off by " + output);
    assertTrue(worst() < tolerance, () -> "gradients are off by " + Arrays.toString(gradients));
  }

  /**
   * Fails where a part of this one is farther from the exact value than the same part of another.
   * Where both round an fp32 number once, that number's own rounding decides, and is not counted.
   */
  void assertNoWorseThan(Comparison other) {
    String both = this + " against " + other;
    assertTrue(output <= other.output + FP32_ROUNDING, both);
    for (int i = 0; i < gradients.length; i++) {
      assertTrue(gradients[i] <= other.gradients[i] + FP32_ROUNDING, both);
    }
  }

  @Override
  public String toString() {
    return "output " + output + ", gradients " + Arrays.toString(gradients);
  }

  private double worst() {
    return Arrays.stream(gradients).max().orElse(0);
  }

  private static Tensor[] leaves(Tensor[] inputs, DType dtype) {
    return Arrays.stream(inputs)
        .map(input -> input.detach().clone().to(dtype).requiresGrad(true))
        .toArray(Tensor[]::new);
  }
}
