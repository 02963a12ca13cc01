package dev.panatune.train.optim;

import dev.panatune.error.TrainingException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Arrays;
import java.util.List;
import java.util.SequencedMap;

/**
 * Updates parameters from their gradients.
 *
 * <p>The parameters are float32 masters; they stay their owners'. The state belongs to the
 * optimizer.
 */
public abstract sealed class Optimizer implements AutoCloseable permits AdamW, BitsandbytesAdamW {
  private static final String STEP = "step";

  private final List<ParameterGroup> groups;
  private final Tensor updates = Tensor.zeros(DType.FLOAT32).keep();

  /** For parameters that require gradients. */
  Optimizer(List<ParameterGroup> groups) {
    this.groups = List.copyOf(groups);
  }

  /**
   * Makes one update from the parameters' gradients, unless their norm is not finite.
   *
   * @param scale what the gradients are multiplied by first
   * @param maxNorm what the norm of all of them together is then scaled down to; 0 for no limit
   * @return that norm before
   * @throws TrainingException if a parameter has no gradient
   */
  public final double step(double learningRate, double scale, double maxNorm) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      double number = updates.item() + 1;
      Tensor[] gradients =
          groups.stream().flatMap(g -> Arrays.stream(gradients(g))).toArray(Tensor[]::new);
      double norm = update(gradients, (long) number, learningRate, scale, maxNorm).item();
      if (Double.isFinite(norm)) {
        updates.fill_(number);
      }
      return norm;
    }
  }

  /**
   * {@link #step}, as its {@code number}th update, counted from 1.
   *
   * @param gradients of all parameters, in the order of the groups
   * @return their norm, a number
   */
  abstract Tensor update(
      Tensor[] gradients, long number, double learningRate, double scale, double maxNorm);

  /**
   * The state by name, always in the same order: the moments of every parameter, and the number of
   * updates as {@code step}. The tensors are the optimizer's own; do not close them.
   */
  public final SequencedMap<String, Tensor> state() {
    SequencedMap<String, Tensor> state = moments();
    state.put(STEP, updates);
    return state;
  }

  /** The moments of every parameter by name, in a map of the caller's. */
  abstract SequencedMap<String, Tensor> moments();

  /** Drops the gradients of all parameters. */
  public final void zeroGrad() {
    for (ParameterGroup group : groups) {
      group.parameters().values().forEach(parameter -> parameter.setGrad(null));
    }
  }

  /** Frees the state. */
  @Override
  public void close() {
    state().values().forEach(Tensor::close);
  }

  /** The gradients of a group's parameters, in their order. */
  private static Tensor[] gradients(ParameterGroup group) {
    return group.parameters().entrySet().stream()
        .map(entry -> gradient(entry.getKey(), entry.getValue()))
        .toArray(Tensor[]::new);
  }

  /** The gradient of a parameter. */
  private static Tensor gradient(String name, Tensor parameter) {
    Tensor gradient = parameter.grad();
    if (gradient == null) {
      throw new TrainingException(
          "the parameter "
              + name
              + " "
              + Arrays.toString(parameter.shape())
              + " is to be trained, but no loss depends on it; leave its module out of"
              + " target_modules and modules_to_save");
    }
    return gradient;
  }
}
