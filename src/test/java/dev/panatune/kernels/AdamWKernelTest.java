package dev.panatune.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.tensor.Threads;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code panatune::adamw_}: clipping and the update of all parameters. */
class AdamWKernelTest {
  private static final Op ADAMW = Op.find("panatune::adamw_", "");
  private static final double RATE = 1e-2;
  private static final double BETA1 = 0.8;
  private static final double BETA2 = 0.99;
  private static final double EPSILON = 1e-6;

  /** Elements of the parameters: one, less than a vector, and more than a block of the kernel. */
  private static final long[] SIZES = {1, 7, 64, 5000, 12_345};

  private static final double[] DECAYS = {0.1, 0, 0.1, 0, 0.05};

  private TensorScope scope;

  @BeforeEach
  void open() {
    scope = TensorScope.open();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /** Parameters, gradients and moments; the same for the same seed. */
  private record State(Tensor[] values, Tensor[] gradients, Tensor[] first, Tensor[] second) {
    static State random() {
      Rng.seed(3);
      return new State(normal(), normal(), normal(), squares());
    }

    private static Tensor[] normal() {
      return Arrays.stream(SIZES)
          .mapToObj(size -> Tensor.randn(DType.FLOAT32, size))
          .toArray(Tensor[]::new);
    }

    private static Tensor[] squares() {
      return Arrays.stream(normal()).map(value -> value.mul(value)).toArray(Tensor[]::new);
    }

    double update(int step, double scale, double maxNorm) {
      return ADAMW
          .call(
              values, gradients, first, second, DECAYS, step, RATE, BETA1, BETA2, EPSILON, scale,
              maxNorm)
          .item();
    }

    Tensor all() {
      return Tensor.cat(
          0,
          Tensor.cat(0, values),
          Tensor.cat(0, gradients),
          Tensor.cat(0, first),
          Tensor.cat(0, second));
    }

    /** The norm of all gradients together, in fp64. */
    double norm() {
      return Tensor.cat(0, gradients).to(DType.FLOAT64).norm().item();
    }

    /** The update of one parameter and its moments in plain operations in fp64. */
    Tensor[] exact(int i, int step, double factor) {
      Tensor gradient = gradients[i].to(DType.FLOAT64).mul(factor);
      Tensor mean = first[i].to(DType.FLOAT64).mul(BETA1).add_(gradient, 1 - BETA1);
      Tensor square =
          second[i].to(DType.FLOAT64).mul(BETA2).add_(gradient.mul(gradient), 1 - BETA2);
      Tensor root = square.div(1 - Math.pow(BETA2, step)).sqrt().add(EPSILON);
      Tensor move = mean.div(1 - Math.pow(BETA1, step)).div(root).mul(RATE);
      Tensor moved = values[i].to(DType.FLOAT64).mul(1 - RATE * DECAYS[i]).sub(move);
      return new Tensor[] {moved, mean, square};
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'', 1, 0",
    "'', 1, 1.5",
    "'', 0.25, 1.5",
    "'', 1, 1e9",
    "isa=plain, 0.25, 1.5",
    "kernels=composite, 1, 0",
    "kernels=composite, 0.25, 1.5"
  })
  void equalsThePlainFormula(String path, double scale, double maxNorm) {
    try (CpuPath _ = CpuPath.use(path)) {
      State state = State.random();
      double norm = state.norm() * scale;
      double factor = maxNorm == 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
      Tensor[][] wanted = new Tensor[SIZES.length][];
      for (int i = 0; i < SIZES.length; i++) {
        wanted[i] = state.exact(i, 3, scale * factor);
      }
      Tensor gradients = Tensor.cat(0, state.gradients());
      assertEquals(norm, state.update(3, scale, maxNorm), 1e-6 * norm);
      for (int i = 0; i < SIZES.length; i++) {
        Tensor[] found = {state.values()[i], state.first()[i], state.second()[i]};
        for (int j = 0; j < found.length; j++) {
          assertTrue(Comparison.distance(found[j], wanted[i][j]) < 1e-6, "parameter " + i);
        }
      }
      assertTrue(gradients.equal(Tensor.cat(0, state.gradients())));
    }
  }

  @Test
  void theNumberOfThreadsChangesNoBit() {
    int threads = Threads.intraOp();
    try {
      Threads.setIntraOp(1);
      State one = State.random();
      double norm = one.update(1, 1, 1.0);
      Threads.setIntraOp(4);
      State four = State.random();
      assertEquals(norm, four.update(1, 1, 1.0));
      assertTrue(one.all().equal(four.all()));
    } finally {
      Threads.setIntraOp(threads);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "kernels=composite"})
  void aNormThatIsNotFiniteIsToldAndTouchesNothing(String path) {
    try (CpuPath _ = CpuPath.use(path)) {
      State state = State.random();
      state.gradients()[3].fill_(Float.POSITIVE_INFINITY);
      Tensor before = state.all();
      assertEquals(Double.POSITIVE_INFINITY, state.update(1, 1, 1.0));
      assertTrue(before.equal(state.all()));
    }
  }

  @Test
  void wrongShapesAreNamed() {
    State state = State.random();
    Tensor[] fewer = Arrays.copyOf(state.gradients(), 4);
    State cut = new State(state.values(), fewer, state.first(), state.second());
    refused("for 5 parameters come 4 gradients", cut);
    state.first()[1] = Tensor.zeros(DType.FLOAT32, 8);
    refused("parameter 1 is [7], its gradient [7] and its moments [8] and [7]", state);
  }

  private static void refused(String message, State state) {
    TensorException refused = assertThrows(TensorException.class, () -> state.update(1, 1, 0));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }
}
