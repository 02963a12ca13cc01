package dev.panatune.nn;

import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;

/** The operators that the layers are computed with. */
final class Kernels {
  private static final Op LINEAR = Op.find("panatune::linear", "");
  private static final Op CAUSAL_ATTENTION = Op.find("panatune::causal_attention", "");
  private static final Op RMS_NORM = Op.find("panatune::rms_norm", "");
  private static final Op ROTARY = Op.find("panatune::rotary", "");
  private static final Op SWIGLU = Op.find("panatune::swiglu", "");

  private Kernels() {}

  /** [..., in] by [out, in] to [..., out]; {@code bias} may be null. */
  static Tensor linear(Tensor input, Tensor weight, Tensor bias) {
    return LINEAR.call(input, weight, bias);
  }

  /**
   * Query row i of T sees the keys 0 to S - T + i.
   *
   * @param query [B, heads, T, D]
   * @param key [B, kvHeads, S, D]
   * @param value [B, kvHeads, S, D]
   */
  static Tensor causalAttention(Tensor query, Tensor key, Tensor value, double scale) {
    return CAUSAL_ATTENTION.call(query, key, value, scale);
  }

  /**
   * [..., hidden] over the root of its mean square, times the weight [hidden], or 1 plus it; fp32
   * inside.
   */
  static Tensor rmsNorm(Tensor input, Tensor weight, double epsilon, boolean onePlus) {
    return RMS_NORM.call(input, weight, epsilon, onePlus);
  }

  /**
   * Turns the first R elements of [B, heads, T, D] by the angles of T positions, given as fp32
   * tables [T, R / 2].
   */
  static Tensor rotary(Tensor input, Tensor cos, Tensor sin) {
    return ROTARY.call(input, cos, sin);
  }

  /** {@code silu(gate) * up}, of one shape and dtype. */
  static Tensor swiglu(Tensor gate, Tensor up) {
    return SWIGLU.call(gate, up);
  }
}
