package dev.panatune.train.optim;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/**
 * AdamW with decoupled weight decay, as torch.optim.AdamW after clip_grad_norm_, in one call for
 * all parameters. Loshchilov and Hutter, 2019, arXiv:1711.05101.
 *
 * <p>The parameters are float32 masters. Their moments are float32 tensors of the same shapes that
 * this object owns.
 */
public final class AdamW extends Optimizer {
  private static final String FIRST = "exp_avg.";
  private static final String SECOND = "exp_avg_sq.";

  private final List<Group> groups;
  private final double beta1;
  private final double beta2;
  private final double epsilon;

  /** Looked up once, and only after the native libraries are there. */
  private static final class Ops {
    static final Op ADAMW = Op.find("panatune::adamw_", "");
  }

  private record Group(ParameterGroup of, Tensor[] first, Tensor[] second) {
    /** The decay of every parameter. */
    DoubleStream decays() {
      return DoubleStream.generate(of::weightDecay).limit(first.length);
    }
  }

  /**
   * Moments of zero for every parameter.
   *
   * @param groups float32 leaves that require gradients
   */
  public AdamW(List<ParameterGroup> groups, double beta1, double beta2, double epsilon) {
    super(groups);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
    List<Group> made = new ArrayList<>();
    for (ParameterGroup group : groups) {
      made.add(new Group(group, zerosLike(group), zerosLike(group)));
    }
    this.groups = List.copyOf(made);
  }

  @Override
  Tensor update(
      Tensor[] gradients, long number, double learningRate, double scale, double maxNorm) {
    return Ops.ADAMW.call(
        all(group -> group.of.parameters().values().stream()),
        gradients,
        all(group -> Arrays.stream(group.first)),
        all(group -> Arrays.stream(group.second)),
        groups.stream().flatMapToDouble(Group::decays).toArray(),
        number,
        learningRate,
        beta1,
        beta2,
        epsilon,
        scale,
        maxNorm);
  }

  private Tensor[] all(Function<Group, Stream<Tensor>> tensors) {
    return groups.stream().flatMap(tensors).toArray(Tensor[]::new);
  }

  /** torch's names: {@code exp_avg.NAME} and {@code exp_avg_sq.NAME} of every parameter. */
  @Override
  SequencedMap<String, Tensor> moments() {
    SequencedMap<String, Tensor> moments = new LinkedHashMap<>();
    for (Group group : groups) {
      int i = 0;
      for (String name : group.of.parameters().sequencedKeySet()) {
        moments.put(FIRST + name, group.first[i]);
        moments.put(SECOND + name, group.second[i++]);
      }
    }
    return moments;
  }

  private static Tensor[] zerosLike(ParameterGroup group) {
    return group.parameters().values().stream()
        .map(parameter -> Tensor.zeros(DType.FLOAT32, parameter.shape()).keep())
        .toArray(Tensor[]::new);
  }
}
