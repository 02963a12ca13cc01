package dev.panatune.train.optim;

import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/** The norm of all gradients together, and clipping to it, as PyTorch's clip_grad_norm_ does. */
final class GradientNorm {
  private static final double L2 = 2;

  /** Keeps a norm of zero from dividing by zero. */
  private static final double EPSILON = 1e-6;

  private GradientNorm() {}

  /** Looked up once, and only after the native libraries are there. */
  private static final class Ops {
    static final Op NORMS = Op.find("aten::_foreach_norm", "Scalar");
    static final Op NORM = Op.find("aten::linalg_vector_norm", "");
    static final Op MULTIPLY = Op.find("aten::_foreach_mul_", "Tensor");
    static final Op SCALE = Op.find("aten::_foreach_mul_", "Scalar");
  }

  /** Multiplies every gradient by {@code factor}. */
  static void scale(Tensor[] gradients, double factor) {
    try (GradMode _ = GradMode.disable()) {
      Ops.SCALE.run(gradients, factor);
    }
  }

  /**
   * Scales the gradients down so that their norm is at most {@code limit}.
   *
   * @param limit 0 for no limit
   * @return the norm before; NaN or infinite (and the gradients then left alone) if one of them is
   */
  static double clip(Tensor[] gradients, double limit) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      Tensor norm = Ops.NORM.call(Tensor.stack(0, Ops.NORMS.callAll(gradients, L2)), L2);
      double value = norm.item();
      if (limit > 0 && Double.isFinite(value)) {
        Tensor factor = norm.add(EPSILON).pow(-1).mul(limit).clamp(0, 1);
        Ops.MULTIPLY.run(gradients, factor);
      }
      return value;
    }
  }
}
