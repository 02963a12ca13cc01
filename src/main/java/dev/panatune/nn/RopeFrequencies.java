package dev.panatune.nn;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/**
 * Makes the frequencies of a rotary embedding, in fp32 and in the order of transformers'
 * operations: at position 10,000 one unit in a frequency's last place is an angle of 1e-3.
 */
final class RopeFrequencies {
  private static final Op ARANGE = Op.find("aten::arange", "start_step");
  private static final Op POWER_OF_SCALAR = Op.find("aten::pow", "Scalar");
  private static final Op RECIPROCAL = Op.find("aten::reciprocal", "");

  private RopeFrequencies() {}

  /** Returns the inverse frequencies, fp32 [headDim / 2]. */
  static Tensor of(RopeConfig config, int headDim) {
    try (var _ = GradMode.disable();
        TensorScope scope = TensorScope.open()) {
      Tensor standard = standard(config.theta(), headDim);
      Tensor frequencies =
          switch (config) {
            case RopeConfig.Standard _ -> standard;
            case RopeConfig.Linear(double _, double factor) -> standard.div(factor);
            case RopeConfig.Llama3 llama3 -> llama3(standard, llama3);
          };
      return scope.moveToOuter(frequencies);
    }
  }

  private static Tensor standard(double theta, int headDim) {
    Tensor exponents =
        ARANGE.call(0L, (long) headDim, 2L, DType.INT64).to(DType.FLOAT32).div((double) headDim);
    return RECIPROCAL.call(POWER_OF_SCALAR.call(theta, exponents));
  }

  private static Tensor llama3(Tensor standard, RopeConfig.Llama3 config) {
    double original = config.originalMaxPositions();
    double low = config.lowFrequencyFactor();
    double high = config.highFrequencyFactor();
    double lowWavelength = original / low;
    double highWavelength = original / high;

    Tensor wavelength = RECIPROCAL.call(standard).mul(2 * Math.PI);
    Tensor isLow = wavelength.gt(lowWavelength);
    Tensor divided = Tensor.where(isLow, standard.div(config.factor()), standard);
    Tensor smooth = RECIPROCAL.call(wavelength).mul(original).sub(low).div(high - low);
    Tensor blended = smooth.neg().add(1).mul(divided).div(config.factor()).add(smooth.mul(divided));
    Tensor isBetween = wavelength.ge(highWavelength).logicalAnd(wavelength.le(lowWavelength));
    return Tensor.where(isBetween, blended, divided);
  }
}
