package dev.panatune.nn;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.List;

/**
 * Makes the frequencies of a rotary embedding, in fp32 and in the order of transformers'
 * operations: at position 10,000 one unit in a frequency's last place is an angle of 1e-3.
 */
final class RopeFrequencies {
  private static final Op ARANGE = Op.find("aten::arange", "start_step");
  private static final Op POWER_OF_SCALAR = Op.find("aten::pow", "Scalar");
  private static final Op RECIPROCAL = Op.find("aten::reciprocal", "");

  private final int size;

  private RopeFrequencies(int size) {
    this.size = size;
  }

  /**
   * Returns the inverse frequencies of texts that are no longer than the context of the
   * pre-training, fp32 [size / 2].
   *
   * @param size how many elements of a head are rotated, an even number
   */
  static Tensor of(RopeConfig config, int size) {
    return of(config, size, 0);
  }

  /**
   * Returns the inverse frequencies, fp32 [size / 2].
   *
   * @param size how many elements of a head are rotated, an even number
   * @param length of the text, in tokens
   */
  static Tensor of(RopeConfig config, int size, long length) {
    try (var _ = GradMode.disable();
        TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(new RopeFrequencies(size).of(config, length));
    }
  }

  private Tensor of(RopeConfig config, long length) {
    return switch (config) {
      case RopeConfig.Standard(double theta) -> standard(theta);
      case RopeConfig.Linear(double theta, double factor) -> standard(theta).div(factor);
      case RopeConfig.Dynamic dynamic -> standard(base(dynamic, length));
      case RopeConfig.Llama3 llama3 -> llama3(standard(llama3.theta()), llama3);
      case RopeConfig.Yarn yarn -> yarn(yarn);
      case RopeConfig.LongRope longRope ->
          RECIPROCAL.call(
              factors(
                      length > longRope.originalMaxPositions()
                          ? longRope.longFactors()
                          : longRope.shortFactors())
                  .mul(periods(longRope.theta())));
    };
  }

  /** {@code theta^(2i / size)}. */
  private Tensor periods(double theta) {
    Tensor exponents =
        ARANGE.call(0L, (long) size, 2L, DType.INT64).to(DType.FLOAT32).div((double) size);
    return POWER_OF_SCALAR.call(theta, exponents);
  }

  private Tensor standard(double theta) {
    return RECIPROCAL.call(periods(theta));
  }

  private double base(RopeConfig.Dynamic config, long length) {
    double seen = Math.max(length, config.maxPositions());
    double growth = config.factor() * seen / config.maxPositions() - (config.factor() - 1);
    return config.theta() * Math.pow(growth, size / (size - 2.0));
  }

  private static Tensor factors(List<Double> values) {
    float[] floats = new float[values.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = values.get(i).floatValue();
    }
    return Tensor.ofFloats(floats, floats.length);
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

  private Tensor yarn(RopeConfig.Yarn config) {
    double first = turning(config.betaFast(), config);
    double last = turning(config.betaSlow(), config);
    if (config.truncate()) {
      first = Math.floor(first);
      last = Math.ceil(last);
    }
    first = Math.max(first, 0);
    last = Math.min(last, size - 1);
    if (first == last) {
      last += 0.001;
    }
    Tensor ramp =
        Tensor.arange(0, size / 2, DType.FLOAT32).sub(first).div(last - first).clamp(0, 1);
    Tensor kept = ramp.neg().add(1);

    Tensor periods = periods(config.theta());
    Tensor divided = RECIPROCAL.call(periods.mul(config.factor()));
    return divided.mul(kept.neg().add(1)).add(RECIPROCAL.call(periods).mul(kept));
  }

  /** Returns the index of the frequency that turns so many times within the original context. */
  private double turning(double turns, RopeConfig.Yarn config) {
    return size
        * Math.log(config.originalMaxPositions() / (turns * 2 * Math.PI))
        / (2 * Math.log(config.theta()));
  }
}
