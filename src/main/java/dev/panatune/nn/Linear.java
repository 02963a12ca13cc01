package dev.panatune.nn;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;

/** {@code y = x W^T + b} with a dense weight [out, in]. */
public final class Linear extends Module implements LinearLayer {
  private static final String WEIGHT = "weight";
  private static final String BIAS = "bias";

  private final long inFeatures;
  private final long outFeatures;

  /**
   * Creates a layer over tensors that it owns from now on.
   *
   * @param weight [out, in], floating point
   * @param bias [out], or null for none
   */
  public Linear(Tensor weight, Tensor bias) {
    if (weight.rank() != 2) {
      throw new ConfigurationException(
          "The weight of a linear layer is [out, in], not " + Arrays.toString(weight.shape()));
    }
    outFeatures = weight.size(0);
    inFeatures = weight.size(1);
    addParameter(WEIGHT, weight);
    if (bias != null) {
      addParameter(BIAS, bias);
    }
  }

  @Override
  public Tensor forward(Tensor input) {
    return Kernels.linear(input, weight(), ownParameter(BIAS));
  }

  /** Returns the weight [out, in]. */
  public Tensor weight() {
    return ownParameter(WEIGHT);
  }

  /** Returns the bias [out], where there is one. */
  public Optional<Tensor> bias() {
    return Optional.ofNullable(ownParameter(BIAS));
  }

  @Override
  public long inFeatures() {
    return inFeatures;
  }

  @Override
  public long outFeatures() {
    return outFeatures;
  }
}
