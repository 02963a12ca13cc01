package dev.panatune.kernels;

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
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LinearCrossEntropyTest {
  private static final Op OPERATOR = Op.find("panatune::linear_cross_entropy", "");

  /** Rows, hidden size, vocabulary, rows a chunk. */
  private static final long[][] SIZES = {
    {1, 8, 32, 512}, {7, 16, 37, 3}, {70, 32, 1000, 32}, {33, 64, 5003, 512}
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
        Tensor targets = targets(s[0], s[2]);
        Comparison comparison =
            Comparison.of(
                in -> OPERATOR.callAll(in[0], in[1], targets, s[3])[0],
                in -> plain(in[0], in[1], targets),
                Tensor.randn(DType.FLOAT32, s[0], s[1]).mul(0.5).to(dtype),
                Tensor.randn(DType.FLOAT32, s[2], s[1]).to(dtype));
        // The logits themselves are rounded, and a probability near 1 takes most of its own digits
        // away.
        comparison.assertWithin(4 * Comparison.rounding(dtype));
      }
    }
  }

  /** In half precision, where sums run in fp32: libtorch's own products are not ours to compare. */
  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#halfPrecisionInFp32")
  void inHalfPrecisionItIsNoWorseThanThePlainOperations(String path, DType dtype) {
    for (double[] rule : new double[][] {{1, 0}, {0.5, 3}}) {
      Tensor targets = targets(70, 1000);
      Tensor[] leaves = {
        Tensor.randn(DType.FLOAT32, 70, 64).mul(0.5).to(dtype),
        Tensor.randn(DType.FLOAT32, 1000, 64).mul(0.3).to(dtype)
      };
      Function<Tensor[], Tensor> formula = in -> plain(in[0], in[1], targets, rule[0], rule[1]);
      Function<Tensor[], Tensor> halfPrecision =
          in -> wideLoss(in[0].matmul(in[1].t()), targets, rule[0], rule[1]);
      Function<Tensor[], Tensor> operator =
          in -> OPERATOR.callAll(in[0], in[1], targets, 32, rule[0], rule[1])[0];
      Comparison.on(path, operator, formula, leaves)
          .assertNoWorseThan(Comparison.on(path, halfPrecision, formula, leaves));
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void scalesAndCapsAsThePlainFormula(String path, DType dtype) {
    double[][] rules = {{0.25, 0}, {1, 2}, {-3, 5}};
    try (CpuPath _ = CpuPath.use(path)) {
      for (double[] rule : rules) {
        for (long[] s : SIZES) {
          Tensor targets = targets(s[0], s[2]);
          Comparison comparison =
              Comparison.of(
                  in -> OPERATOR.callAll(in[0], in[1], targets, s[3], rule[0], rule[1])[0],
                  in -> plain(in[0], in[1], targets, rule[0], rule[1]),
                  Tensor.randn(DType.FLOAT32, s[0], s[1]).mul(0.5).to(dtype),
                  Tensor.randn(DType.FLOAT32, s[2], s[1]).to(dtype));
          comparison.assertWithin(4 * Comparison.rounding(dtype));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void aNegativeScaleTurnsTheOrderAround(String path, DType dtype) {
    try (CpuPath _ = CpuPath.use(path)) {
      Tensor hidden = Tensor.ofFloats(new float[] {1, 1, 1}, 3, 1).to(dtype);
      Tensor weight = Tensor.ofFloats(new float[] {5, 1, 1, 2}, 4, 1).to(dtype);
      Tensor targets = Tensor.ofLongs(new long[] {0, 1, 2}, 3);
      assertEquals(1, OPERATOR.callAll(hidden, weight, targets, 2, -1.0, 30.0)[1].itemLong());
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void countsTheRowsWhoseTargetComesFirst(String path, DType dtype) {
    try (CpuPath _ = CpuPath.use(path)) {
      // Every logit of a row is the same but for one: ties are decided for the lowest index.
      Tensor hidden = Tensor.ofFloats(new float[] {1, 0, 1, 0, 0, 1, 0, 1}, 4, 2).to(dtype);
      Tensor weight = Tensor.ofFloats(new float[] {0, 2, 3, 2, 0, 2, 0, 2, 0, 2}, 5, 2).to(dtype);
      Tensor targets = Tensor.ofLongs(new long[] {1, 0, 0, 3}, 4);
      assertEquals(2, OPERATOR.callAll(hidden, weight, targets)[1].itemLong());
    }
  }

  @Test
  void noRowsHaveNoLoss() {
    Tensor hidden = Tensor.zeros(DType.BFLOAT16, 0, 4).requiresGrad(true);
    Tensor[] results =
        OPERATOR.callAll(hidden, Tensor.ones(DType.BFLOAT16, 8, 4), Tensor.zeros(DType.INT64, 0));
    assertEquals(0.0, results[0].item());
    assertEquals(0, results[1].itemLong());
    Autograd.backward(results[0]);
    assertEquals(0, hidden.grad().numel());
  }

  @Test
  void theLogitsNeverExistAtOnce() {
    Tensor hidden = Tensor.randn(DType.FLOAT32, 1024, 16);
    Tensor weight = Tensor.randn(DType.FLOAT32, 8192, 16);
    Tensor targets = targets(1024, 8192);
    NativeMemory.resetPeak();
    long before = NativeMemory.liveBytes();
    OPERATOR.callAll(hidden.requiresGrad(true), weight, targets, 64);
    long logits = 1024 * 8192 * 4;
    assertTrue(NativeMemory.peakBytes() - before < logits / 8);
  }

  @Test
  void withoutAGradientNoneIsFormed() {
    Tensor hidden = Tensor.randn(DType.FLOAT32, 8, 16);
    Tensor weight = Tensor.randn(DType.FLOAT32, 32, 16);
    assertFalse(OPERATOR.callAll(hidden, weight, targets(8, 32))[0].requiresGrad());
    Tensor loss = OPERATOR.callAll(hidden.requiresGrad(true), weight, targets(8, 32))[0];
    assertTrue(loss.requiresGrad());
    Autograd.backward(loss);
    assertEquals(DType.FLOAT32, hidden.grad().dtype());
  }

  @Test
  void autocastComputesInItsDTypeAndKeepsTheLossInFp32() {
    Tensor hidden = Tensor.randn(DType.FLOAT32, 8, 16);
    Tensor weight = Tensor.randn(DType.FLOAT32, 32, 16).requiresGrad(true);
    Tensor targets = targets(8, 32);
    Tensor loss;
    try (Autocast _ = Autocast.enable(Device.Kind.CPU, DType.BFLOAT16)) {
      loss = OPERATOR.callAll(hidden, weight, targets)[0];
    }
    Tensor rounded =
        OPERATOR.callAll(hidden.to(DType.BFLOAT16), weight.detach().to(DType.BFLOAT16), targets)[0];
    assertEquals(rounded.item(), loss.item());
    assertEquals(DType.FLOAT32, loss.dtype());
    Autograd.backward(loss);
    assertEquals(DType.FLOAT32, weight.grad().dtype());
  }

  @Test
  void wrongArgumentsAreNamed() {
    Tensor hidden = Tensor.zeros(DType.FLOAT32, 4, 8);
    Tensor weight = Tensor.zeros(DType.FLOAT32, 10, 8);
    Tensor targets = Tensor.ofLongs(new long[] {1, 2, 3, 9}, 4);
    Tensor beyond = Tensor.ofLongs(new long[] {2, 10, 3, 4}, 4);
    Tensor ignored = Tensor.ofLongs(new long[] {1, -100, 3, 9}, 4);
    refused("targets lie in [2, 10], but must lie in [0, 10)", hidden, weight, beyond);
    refused("targets lie in [-100, 9]", hidden, weight, ignored);
    refused("must be Long [4]", hidden, weight, targets.narrow(0, 0, 3));
    refused("targets are Int", hidden, weight, targets.to(DType.INT32));
    refused("hidden [4, 8] and weight [10, 7]", hidden, weight.narrow(1, 0, 7), targets);
    refused("hidden is Float and weight Double", hidden, weight.to(DType.FLOAT64), targets);
    refused("chunk_rows is 0", hidden, weight, targets, 0);
    refused("soft_cap -1 must be finite", hidden, weight, targets, 4, 1.0, -1.0);
  }

  private static void refused(String message, Object... arguments) {
    TensorException refused =
        assertThrows(TensorException.class, () -> OPERATOR.callAll(arguments));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }

  private static Tensor targets(long rows, long vocabulary) {
    return Tensor.rand(DType.FLOAT32, rows).mul(vocabulary).to(DType.INT64);
  }

  private static Tensor plain(Tensor hidden, Tensor weight, Tensor targets) {
    return plain(hidden, weight, targets, 1, 0);
  }

  private static Tensor plain(
      Tensor hidden, Tensor weight, Tensor targets, double scale, double cap) {
    return loss(hidden.matmul(weight.t()), targets, scale, cap);
  }

  /** As transformers computes it: scaled and capped in the model's type, the loss in float32. */
  private static Tensor wideLoss(Tensor products, Tensor targets, double scale, double cap) {
    Tensor scaled = products.mul(scale);
    Tensor logits = cap == 0 ? scaled : scaled.div(cap).tanh().mul(cap);
    return loss(logits.to(DType.FLOAT32), targets, 1, 0);
  }

  private static Tensor loss(Tensor products, Tensor targets, double scale, double cap) {
    Tensor scaled = products.mul(scale);
    Tensor logits = cap == 0 ? scaled : scaled.div(cap).tanh().mul(cap);
    return logits.logSoftmax(-1).gather(1, targets.unsqueeze(1)).sum().neg();
  }
}
