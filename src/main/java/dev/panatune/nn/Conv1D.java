package dev.panatune.nn;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;

/**
 * {@code y = x W + b} with a dense weight [in, out]: GPT-2's linear layer, under transformers' name
 * for it. What PEFT calls {@code fan_in_fan_out} is that this weight lies the other way round.
 */
public final class Conv1D extends Module implements LinearLayer {
  private static final String WEIGHT = "weight";
  private static final String BIAS = "bias";

  private final long inFeatures;
  private final long outFeatures;

  /**
   * Creates a layer over tensors that it owns from now on.
   *
   * @param weight [in, out], floating point
   * @param bias [out], or null for none
   */
  public Conv1D(Tensor weight, Tensor bias) {
    if (weight.rank() != 2) {
      throw new ConfigurationException(
          "The weight of a Conv1D is [in, out], not " + Arrays.toString(weight.shape()));
    }
    inFeatures = weight.size(0);
    outFeatures = weight.size(1);
    addParameter(WEIGHT, weight);
    if (bias != null) {
      addParameter(BIAS, bias);
    }
  }

  @Override
  public Tensor forward(Tensor input) {
    return Kernels.linear(input, weight().t(), ownParameter(BIAS));
  }

  /** Returns the weight [in, out]. */
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
