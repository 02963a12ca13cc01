package dev.panatune.peft;

import dev.panatune.nn.Module;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/**
 * The learnt magnitudes of weight-decomposed adaptation: the sum of base weight and update keeps
 * its direction, a vector says how long it is. DoRA: Liu et al., 2024, arXiv:2402.09353.
 *
 * <p>There is one magnitude for each output of a linear layer, and for each hidden unit of an
 * embedding. As in section 4.3 of the paper, no gradient flows through the norm.
 */
final class Dora extends Module {
  private static final Op NORM = Op.find("aten::linalg_vector_norm", "");

  private final int dim;

  /**
   * Magnitudes that change nothing: the norms of what is there.
   *
   * @param sum the base weight and the update, float32
   * @param dim over which a norm is taken: 1 for [out, in], 0 for [vocabulary, hidden]
   */
  Dora(Tensor sum, int dim) {
    this.dim = dim;
    try (TensorScope _ = TensorScope.open()) {
      addParameter("weight", norm(sum.detach(), dim).keep());
    }
  }

  /** The magnitudes, float32. */
  Tensor magnitude() {
    return ownParameter("weight");
  }

  /**
   * What the sum is multiplied by to have the magnitudes.
   *
   * @param weight the base weight in float32
   * @param delta the update of the same shape
   * @return a vector, in the innermost scope; its gradient is that of the magnitudes alone
   */
  Tensor factor(Tensor weight, Tensor delta) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor norm;
      try (GradMode _ = GradMode.disable();
          Autocast _ = Autocast.disable(weight.device().kind())) {
        norm = norm(weight.add(delta), dim);
      }
      return scope.moveToOuter(magnitude().div(norm));
    }
  }

  /**
   * The sum with the learnt magnitudes.
   *
   * @param sum what is to have them, of the weight's shape
   * @param weight the base weight in float32, and
   * @param delta its update: their norms are what is divided by
   * @return in the innermost scope, without a gradient
   */
  Tensor applied(Tensor sum, Tensor weight, Tensor delta) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(sum.mul(factor(weight, delta).detach().unsqueeze(dim)));
    }
  }

  private static Tensor norm(Tensor sum, int dim) {
    return NORM.call(sum.to(DType.FLOAT32), 2.0, new long[] {dim}, false);
  }
}
