package dev.panatune.nn;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;

/** The operators that the layers are computed with. */
final class Kernels {
  private static final Op LINEAR = Op.find("panatune::linear", "");
  private static final Op CAUSAL_ATTENTION = Op.find("panatune::causal_attention", "");

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

  /** [..., hidden], normalised in fp32, rounded to the input's dtype, times the weight [hidden]. */
  static Tensor rmsNorm(Tensor input, Tensor weight, double epsilon) {
    Tensor exact = input.to(DType.FLOAT32);
    Tensor meanSquare = exact.pow(2).mean(-1, true);
    Tensor normalised = exact.mul(meanSquare.add(epsilon).rsqrt()).to(input.dtype());
    return normalised.mul(weight);
  }
}
