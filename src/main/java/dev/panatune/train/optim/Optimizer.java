package dev.panatune.train.optim;

import dev.panatune.error.TrainingException;
import dev.panatune.tensor.Tensor;
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
  private final List<ParameterGroup> groups;

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
  public abstract double step(double learningRate, double scale, double maxNorm);

  /** The state by name, always in the same order: the optimizer's own tensors. */
  public abstract SequencedMap<String, Tensor> state();

  /** The gradients of all parameters, in the innermost scope. */
  final Tensor[] gradients() {
    return groups.stream().flatMap(g -> Arrays.stream(gradients(g))).toArray(Tensor[]::new);
  }

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
