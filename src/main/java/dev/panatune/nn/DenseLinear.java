package dev.panatune.nn;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;

/** A linear layer with a dense weight, whichever way round it lies, and perhaps a bias. */
abstract sealed class DenseLinear extends Module implements LinearLayer permits Linear, Conv1D {
  private static final String WEIGHT = "weight";
  private static final String BIAS = "bias";

  private final long inFeatures;
  private final long outFeatures;

  /**
   * Creates a layer over tensors that it owns from now on.
   *
   * @param weight [out, in], or [in, out] where {@code inFirst}; floating point
   * @param bias [out], or null for none
   */
  DenseLinear(Tensor weight, Tensor bias, boolean inFirst) {
    if (weight.rank() != 2) {
      throw new ConfigurationException(
          "The weight of a %s is %s, not %s"
              .formatted(
                  getClass().getSimpleName(),
                  inFirst ? "[in, out]" : "[out, in]",
                  Arrays.toString(weight.shape())));
    }
    inFeatures = weight.size(inFirst ? 0 : 1);
    outFeatures = weight.size(inFirst ? 1 : 0);
    addParameter(WEIGHT, weight);
    if (bias != null) {
      addParameter(BIAS, bias);
    }
  }

  /** The product with a weight that lies as [out, in], and the bias. */
  final Tensor apply(Tensor input, Tensor outFirst) {
    return Kernels.linear(input, outFirst, ownParameter(BIAS));
  }

  /** Returns the weight, as it lies. */
  public final Tensor weight() {
    return ownParameter(WEIGHT);
  }

  /** Returns the bias [out], where there is one. */
  public final Optional<Tensor> bias() {
    return Optional.ofNullable(ownParameter(BIAS));
  }

  @Override
  public final long inFeatures() {
    return inFeatures;
  }

  @Override
  public final long outFeatures() {
    return outFeatures;
  }
}
