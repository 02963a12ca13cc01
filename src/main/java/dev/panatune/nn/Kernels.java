package dev.panatune.nn;

import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
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

  /**
   * [..., in] by [out, in] to [..., out]; {@code bias} may be null. Without autocast it is computed
   * in the weight's dtype: of a model that is trained in part, some are float32 masters.
   */
  static Tensor linear(Tensor input, Tensor weight, Tensor bias) {
    DType dtype = weight.dtype();
    boolean same = input.dtype() == dtype && (bias == null || bias.dtype() == dtype);
    if (same || Autocast.isEnabled(input.device().kind())) {
      return LINEAR.call(input, weight, bias);
    }
    return LINEAR.call(input.to(dtype), weight, bias == null ? null : bias.to(dtype));
  }

  /**
   * Query row i of T sees the keys up to S - T + i.
   *
   * @param query [B, heads, T, D]
   * @param key [B, kvHeads, S, D]
   * @param value [B, kvHeads, S, D]
   * @param firstKeys int64 [B or 1, T]: the first key that each row sees; null for the first of all
   * @param window how many keys a row sees at most; 0 for all
   * @param softCap bounds the scaled products; 0 for no bound
   */
  static Tensor causalAttention(
      Tensor query,
      Tensor key,
      Tensor value,
      double scale,
      Tensor firstKeys,
      long window,
      double softCap) {
    DType dtype = query.dtype();
    if (key.dtype() == dtype && value.dtype() == dtype) {
      return CAUSAL_ATTENTION.call(query, key, value, scale, firstKeys, window, softCap);
    }
    return CAUSAL_ATTENTION.call(
        query.to(DType.FLOAT32),
        key.to(DType.FLOAT32),
        value.to(DType.FLOAT32),
        scale,
        firstKeys,
        window,
        softCap);
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

  /** {@code silu(gate) * up}, of one shape. */
  static Tensor swiglu(Tensor gate, Tensor up) {
    if (gate.dtype() == up.dtype()) {
      return SWIGLU.call(gate, up);
    }
    return SWIGLU.call(gate.to(DType.FLOAT32), up.to(DType.FLOAT32));
  }
}
