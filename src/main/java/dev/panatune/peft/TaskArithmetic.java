package dev.panatune.peft;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Weighted sums of tensors of one shape, float32, as PEFT's {@code merge_utils} forms them. Results
 * are in the innermost scope.
 */
final class TaskArithmetic {
  private static final Op BERNOULLI = Op.find("aten::bernoulli", "");
  private static final Op SIGN = Op.find("aten::sign", "");

  private final CombinationType type;
  private final double density;
  private final boolean byFrequency;
  private final Masks masks;

  /** Draws which values are kept. */
  interface Masks {
    /** Ones where a value is kept, with a probability of {@code density} each, else zeros. */
    Tensor draw(Tensor like, double density);

    /** From the default generator. */
    Masks RANDOM = (like, density) -> BERNOULLI.call(like.mul(0).add(density));
  }

  /**
   * A way to sum.
   *
   * @param density the share of values that is kept, where some are dropped
   * @param byFrequency whether a sign is elected by how many have it, rather than by their sum
   */
  TaskArithmetic(CombinationType type, double density, boolean byFrequency, Masks masks) {
    this.type = type;
    this.density = density;
    this.byFrequency = byFrequency;
    this.masks = masks;
  }

  /** Sums tensors with a weight each. */
  Tensor sum(List<Tensor> tensors, List<Double> weights) {
    List<Tensor> kept = tensors.stream().map(this::pruned).toList();
    List<Tensor> weighted = new ArrayList<>();
    for (int i = 0; i < kept.size(); i++) {
      weighted.add(kept.get(i).mul(weights.get(i)));
    }
    Tensor stacked = stack(weighted);
    return switch (type) {
      case TIES, TIES_SVD, DARE_TIES, DARE_TIES_SVD -> disjoint(stacked, majority(stack(kept)));
      default -> stacked.sum(0, false);
    };
  }

  private static Tensor stack(List<Tensor> tensors) {
    return Tensor.stack(0, tensors.toArray(Tensor[]::new));
  }

  private Tensor pruned(Tensor tensor) {
    if (!type.prunes() || density >= 1) {
      return tensor;
    }
    return switch (type) {
      case DARE_LINEAR, DARE_LINEAR_SVD, DARE_TIES, DARE_TIES_SVD ->
          tensor.mul(masks.draw(tensor, density)).div(density);
      default -> largest(tensor);
    };
  }

  private Tensor largest(Tensor tensor) {
    long count = (long) (density * tensor.numel());
    Tensor places = tensor.abs().reshape(-1).topk(count, 0)[1];
    Tensor mask = Tensor.zeros(DType.FLOAT32, tensor.numel());
    Tensor ones = Tensor.ones(DType.FLOAT32, count);
    return tensor.mul(mask.scatter(0, places, ones).reshape(tensor.shape()));
  }

  /** Where a value has the sign that most have, [tensors, ...]. */
  private Tensor majority(Tensor stacked) {
    Tensor sign = SIGN.call(stacked);
    Tensor votes = byFrequency ? sign.sum(0, false) : stacked.sum(0, false);
    Tensor elected = votes.ge(0).to(DType.FLOAT32).mul(2).sub(1);
    return sign.eq(elected).to(DType.FLOAT32);
  }

  private static Tensor disjoint(Tensor stacked, Tensor majority) {
    Tensor count = majority.sum(0, false).clamp(1, Double.POSITIVE_INFINITY);
    return stacked.mul(majority).sum(0, false).div(count);
  }
}
