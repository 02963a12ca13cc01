package dev.panatune.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** rms_norm, rotary and swiglu: one pass over memory each way. */
class RowKernelsTest {
  private static final Op RMS_NORM = Op.find("panatune::rms_norm", "");
  private static final Op ROTARY = Op.find("panatune::rotary", "");
  private static final Op SWIGLU = Op.find("panatune::swiglu", "");
  private static final double EPSILON = 1e-5;

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
  void rmsNorm(String path, DType dtype) {
    for (long width : new long[] {1, 37, 64, 576}) {
      for (boolean onePlus : new boolean[] {false, true}) {
        check(
            path,
            in -> RMS_NORM.call(in[0], in[1], EPSILON, onePlus),
            in -> plainNorm(in[0], in[1], onePlus),
            Tensor.randn(DType.FLOAT32, 3, 67, width).to(dtype),
            Tensor.randn(DType.FLOAT32, width).to(dtype));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void rotaryWithATableOfBothHalves(String path, DType dtype) {
    for (long depth : new long[] {6, 20, 64}) {
      Tensor angles = Tensor.rand(DType.FLOAT64, 31, depth).mul(30);
      check(
          path,
          in -> ROTARY.call(in[0], angles.cos(), angles.sin()),
          in -> plainRotary(in[0], angles.cos(), angles.sin()),
          heads(dtype, depth));
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void rotaryOfAPartOfEachHeadWithATableForEachRow(String path, DType dtype) {
    Tensor angles = Tensor.rand(DType.FLOAT64, 2, 31, 6).mul(30);
    Tensor both = Tensor.cat(-1, angles, angles).unsqueeze(1);
    check(
        path,
        in -> ROTARY.call(in[0], angles.cos(), angles.sin()),
        in ->
            Tensor.cat(
                -1,
                plainRotary(in[0].narrow(3, 0, 12), both.cos(), both.sin()),
                in[0].narrow(3, 12, 8)),
        heads(dtype, 20));
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void swiglu(String path, DType dtype) {
    check(
        path,
        in -> SWIGLU.call(in[0], in[1]),
        in -> in[0].mul(in[0].sigmoid()).mul(in[1]),
        Tensor.randn(DType.FLOAT32, 3, 50, 101).mul(3).to(dtype),
        Tensor.randn(DType.FLOAT32, 3, 50, 101).to(dtype));
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void swigluOfTheHalvesOfAJoinedProjection(String path, DType dtype) {
    check(
        path,
        in -> SWIGLU.call((Object[]) in[0].chunk(2, -1)),
        in -> {
          Tensor[] halves = in[0].chunk(2, -1);
          return halves[0].mul(halves[0].sigmoid()).mul(halves[1]);
        },
        Tensor.randn(DType.FLOAT32, 4, 9, 130).to(dtype));
  }

  @Test
  void swigluOfLargeGatesStaysFinite() {
    Tensor gate = Tensor.ofFloats(new float[] {-2000, -100, 0, 100, 2000}, 5);
    Tensor output = SWIGLU.call(gate, Tensor.ones(DType.FLOAT32, 5));
    assertArrayEquals(new float[] {0, 0, 0, 100, 2000}, output.toFloats(), 1e-30f);
  }

  @Test
  void rotaryKeepsTheHeadsJoinable() {
    Tensor input = heads(DType.FLOAT32, 8);
    Tensor table = Tensor.ones(DType.FLOAT32, 31, 4);
    assertTrue(ROTARY.call(input, table, table).transpose(1, 2).isContiguous());
  }

  @Test
  void rmsNormTakesAWeightOfAnotherType() {
    Tensor input = Tensor.randn(DType.FLOAT32, 4, 8).to(DType.BFLOAT16);
    Tensor weight = Tensor.randn(DType.FLOAT32, 8);
    Tensor output = RMS_NORM.call(input, weight, EPSILON);
    assertEquals(DType.BFLOAT16, output.dtype());
    Tensor exact = plainNorm(input.to(DType.FLOAT64), weight.to(DType.FLOAT64), false);
    assertTrue(Comparison.distance(output, exact) < Comparison.rounding(DType.BFLOAT16));
  }

  @Test
  void wrongShapesAndTypesAreNamed() {
    Tensor input = heads(DType.FLOAT32, 8);
    Tensor narrow = Tensor.zeros(DType.FLOAT32, 31, 5);
    Tensor shorter = Tensor.zeros(DType.FLOAT32, 30, 4);
    refused(
        "panatune::rms_norm: input [2, 3, 31, 8] and weight [5]",
        () -> RMS_NORM.call(input, narrow.select(0, 0), EPSILON));
    refused(
        "panatune::rotary: cos [31, 5] has neither all 8 (even) nor at most half",
        () -> ROTARY.call(input, narrow, narrow));
    refused(
        "panatune::rotary: cos [30, 4] and sin [30, 4]",
        () -> ROTARY.call(input, shorter, shorter));
    refused(
        "panatune::rotary: input Float [3, 31, 8]",
        () -> ROTARY.call(input.select(0, 0), shorter, shorter));
    refused("panatune::swiglu: gate [31, 5] and up [30, 4]", () -> SWIGLU.call(narrow, shorter));
    refused(
        "panatune::swiglu: gate is Float and up Double",
        () -> SWIGLU.call(narrow, narrow.to(DType.FLOAT64)));
  }

  private static void refused(String message, Runnable call) {
    TensorException refused = assertThrows(TensorException.class, call::run);
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }

  /**
   * Within rounding of fp64 and, in half precision, no farther from it than the plain operations.
   */
  private static void check(
      String path,
      Function<Tensor[], Tensor> operator,
      Function<Tensor[], Tensor> formula,
      Tensor... inputs) {
    DType dtype = inputs[0].dtype();
    Comparison fused = Comparison.on(path, operator, formula, inputs);
    fused.assertWithin(Comparison.rounding(dtype));
    if (dtype.byteSize() == 2) {
      fused.assertNoWorseThan(
          Comparison.on(path, in -> formula.apply(in).to(dtype), formula, inputs));
    }
  }

  private static Tensor heads(DType dtype, long depth) {
    return Tensor.randn(DType.FLOAT32, 2, 31, 3, depth).to(dtype).transpose(1, 2);
  }

  /** As Hugging Face computes it: rounded to the input's type before the weight. */
  private static Tensor plainNorm(Tensor input, Tensor weight, boolean onePlus) {
    Tensor wide = input.dtype() == DType.FLOAT64 ? input : input.to(DType.FLOAT32);
    Tensor scale = wide.pow(2).mean(-1, true).add(EPSILON).rsqrt();
    return wide.mul(scale).to(input.dtype()).mul(onePlus ? weight.add(1) : weight);
  }

  private static Tensor plainRotary(Tensor input, Tensor cos, Tensor sin) {
    Tensor[] halves = input.chunk(2, -1);
    Tensor turned = Tensor.cat(-1, halves[1].neg(), halves[0]);
    return input.mul(cos.to(input.dtype())).add(turned.mul(sin.to(input.dtype())));
  }
}
