package dev.panatune.train.optim;

import dev.panatune.error.TrainingException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * AdamW with decoupled weight decay: PyTorch's fused kernel, one call for every group.
 *
 * <p>The parameters are float32 masters. Their moments are float32 tensors of the same shapes that
 * this object owns.
 */
public final class AdamW implements AutoCloseable {
  private static final String FIRST = "exp_avg.";
  private static final String SECOND = "exp_avg_sq.";
  private static final String STEP = "step";

  private final List<Group> groups;
  private final double beta1;
  private final double beta2;
  private final double epsilon;
  private final Tensor step;

  /** Looked up once, and only after the native libraries are there. */
  private static final class Ops {
    static final Op FUSED_ADAMW = Op.find("aten::_fused_adamw_", "");
  }

  private record Group(
      List<String> names, Tensor[] parameters, Tensor[] first, Tensor[] second, double decay) {}

  /**
   * Moments of zero for every parameter.
   *
   * @param groups float32 leaves that require gradients
   */
  public AdamW(List<ParameterGroup> groups, double beta1, double beta2, double epsilon) {
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
    List<Group> made = new ArrayList<>();
    for (ParameterGroup group : groups) {
      made.add(
          new Group(
              List.copyOf(group.parameters().sequencedKeySet()),
              group.parameters().values().toArray(Tensor[]::new),
              zerosLike(group.parameters()),
              zerosLike(group.parameters()),
              group.weightDecay()));
    }
    this.groups = List.copyOf(made);
    this.step = Tensor.zeros(DType.FLOAT32).keep();
  }

  /**
   * Makes one update from the parameters' gradients.
   *
   * @throws TrainingException if a parameter has no gradient
   */
  public void step(double learningRate) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      step.fill_(step.item() + 1);
      for (Group group : groups) {
        Tensor[] steps = new Tensor[group.parameters.length];
        Arrays.fill(steps, step);
        Ops.FUSED_ADAMW.run(
            group.parameters,
            gradients(group),
            group.first,
            group.second,
            new Tensor[0],
            steps,
            learningRate,
            beta1,
            beta2,
            group.decay,
            epsilon,
            false,
            false);
      }
    }
  }

  /** The gradients of all parameters, in the innermost scope. */
  public Tensor[] gradients() {
    return groups.stream().flatMap(g -> Arrays.stream(gradients(g))).toArray(Tensor[]::new);
  }

  /** Drops the gradients of all parameters. */
  public void zeroGrad() {
    for (Group group : groups) {
      for (Tensor parameter : group.parameters) {
        parameter.setGrad(null);
      }
    }
  }

  /**
   * The state by name: {@code exp_avg.NAME} and {@code exp_avg_sq.NAME} of every parameter, and the
   * number of updates as {@code step}. The tensors are the optimizer's own; do not close them.
   */
  public SequencedMap<String, Tensor> state() {
    SequencedMap<String, Tensor> state = new LinkedHashMap<>();
    for (Group group : groups) {
      for (int i = 0; i < group.names.size(); i++) {
        state.put(FIRST + group.names.get(i), group.first[i]);
        state.put(SECOND + group.names.get(i), group.second[i]);
      }
    }
    state.put(STEP, step);
    return state;
  }

  /** Frees the moments. */
  @Override
  public void close() {
    for (Map.Entry<String, Tensor> entry : state().entrySet()) {
      entry.getValue().close();
    }
  }

  private static Tensor[] gradients(Group group) {
    Tensor[] gradients = new Tensor[group.parameters.length];
    for (int i = 0; i < gradients.length; i++) {
      gradients[i] = group.parameters[i].grad();
      if (gradients[i] == null) {
        throw new TrainingException(
            "the parameter "
                + group.names.get(i)
                + " "
                + Arrays.toString(group.parameters[i].shape())
                + " is to be trained, but no loss depends on it; leave its module out of"
                + " target_modules and modules_to_save");
      }
    }
    return gradients;
  }

  private static Tensor[] zerosLike(SequencedMap<String, Tensor> parameters) {
    return parameters.values().stream()
        .map(parameter -> Tensor.zeros(DType.FLOAT32, parameter.shape()).keep())
        .toArray(Tensor[]::new);
  }
}
