package dev.panatune.nn;

import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Optional;

/** {@code y = x W^T + b} with a weight [out, in] kept in 4 bits and dequantised when it is used. */
public final class QuantizedLinear extends Module implements LinearLayer {
  private static final String BIAS = "bias";

  private final QuantizedTensor weight;
  private final boolean conv1d;

  /**
   * Creates a layer over a weight and a bias that it owns from now on.
   *
   * @param weight quantised from [out, in]
   * @param bias [out], or null for none
   */
  public QuantizedLinear(QuantizedTensor weight, Tensor bias) {
    this(weight, bias, false);
  }

  private QuantizedLinear(QuantizedTensor weight, Tensor bias, boolean conv1d) {
    this.weight = weight;
    this.conv1d = conv1d;
    if (bias != null) {
      addParameter(BIAS, bias);
    }
  }

  /**
   * Creates the layer that a {@link Conv1D} becomes in 4 bits, over a weight and a bias that it
   * owns from now on.
   *
   * @param weight quantised from [out, in], the transposed weight of the Conv1D
   * @param bias [out], or null for none
   */
  public static QuantizedLinear ofConv1D(QuantizedTensor weight, Tensor bias) {
    return new QuantizedLinear(weight, bias, true);
  }

  /** Returns a layer of the same kind with another weight and bias. */
  public QuantizedLinear like(QuantizedTensor otherWeight, Tensor otherBias) {
    return new QuantizedLinear(otherWeight, otherBias, conv1d);
  }

  /**
   * Returns a layer of the kind that this was before it was quantised.
   *
   * @param denseWeight [out, in], the layer's own from now on
   * @param denseBias [out], or null for none; the layer's own from now on
   */
  public LinearLayer dense(Tensor denseWeight, Tensor denseBias) {
    if (!conv1d) {
      return new Linear(denseWeight, denseBias);
    }
    try (TensorScope _ = TensorScope.open();
        denseWeight) {
      return new Conv1D(denseWeight.t().contiguous().keep(), denseBias);
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
