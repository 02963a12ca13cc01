package dev.panatune.nn;

import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.Tensor;
import java.util.Optional;

/** {@code y = x W^T + b} with a weight [out, in] kept in 4 bits and dequantised when it is used. */
public final class QuantizedLinear extends Module implements LinearLayer {
  private static final String BIAS = "bias";

  private final QuantizedTensor weight;

  /**
   * Creates a layer over a weight and a bias that it owns from now on.
   *
   * @param weight quantised from [out, in]
   * @param bias [out], or null for none
   */
  public QuantizedLinear(QuantizedTensor weight, Tensor bias) {
    this.weight = weight;
    if (bias != null) {
      addParameter(BIAS, bias);
    }
  }

  @Override
  public Tensor forward(Tensor input) {
    return weight.linear(input, ownParameter(BIAS));
  }

  /** Returns the quantised weight. */
  public QuantizedTensor weight() {
    return weight;
  }

  /** Returns the bias [out], where there is one. */
  public Optional<Tensor> bias() {
    return Optional.ofNullable(ownParameter(BIAS));
  }

  @Override
  public long inFeatures() {
    return weight.shape()[1];
  }

  @Override
  public long outFeatures() {
    return weight.shape()[0];
  }

  @Override
  protected long packedWeights() {
    return inFeatures() * outFeatures();
  }

  @Override
  public void close() {
    super.close();
    weight.close();
  }
}
