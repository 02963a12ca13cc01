package dev.panatune.peft;

import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * A linear layer whose output, or input, is scaled by a learnt vector: {@code l * base(x)} or
 * {@code base(l * x)}.
 *
 * <p>The vector is float32, [out, 1] or [1, in]; the product has the dtype of what it scales.
 */
final class Ia3Linear extends Module implements AdaptedLinear {
  private static final String VECTOR = "ia3_l";

  private final Slot<LinearLayer> base;
  private final boolean feedforward;
  private boolean enabled = true;

  /**
   * Wraps a layer.
   *
   * @param feedforward whether the input is scaled
   * @param ones whether the vector starts at one; otherwise it is drawn from the default generator
   */
  Ia3Linear(LinearLayer baseLayer, boolean feedforward, boolean ones) {
    this.feedforward = feedforward;
    base = addChild("base_layer", LinearLayer.class, baseLayer);
    try (TensorScope _ = TensorScope.open()) {
      long[] shape =
          feedforward
              ? new long[] {1, baseLayer.inFeatures()}
              : new long[] {baseLayer.outFeatures(), 1};
      Tensor vector = ones ? Tensor.ones(DType.FLOAT32, shape) : Tensor.randn(DType.FLOAT32, shape);
      addParameter(VECTOR, vector.keep());
    }
  }

  @Override
  public Tensor forward(Tensor input) {
    if (!enabled) {
      return base.get().forward(input);
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor result =
          feedforward ? base.get().forward(scaled(input)) : scaled(base.get().forward(input));
      return scope.moveToOuter(result);
    }
  }

  private Tensor scaled(Tensor values) {
    return values.to(DType.FLOAT32).mul(vector().reshape(-1)).to(values.dtype());
  }

  /** The vector, float32 [out, 1] or [1, in]. */
  Tensor vector() {
    return ownParameter(VECTOR);
  }

  @Override
  public Tensor mergedInto(Tensor weight) {
    return weight.mul(vector().detach());
  }

  @Override
  public Tensor mergedIntoBias(Tensor bias) {
    return feedforward ? bias : bias.mul(vector().detach().reshape(-1));
  }

  @Override
  public SequencedMap<String, Tensor> tensors() {
    SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put(VECTOR, vector());
    return tensors;
  }

  /** Whether the input is scaled. */
  boolean isFeedforward() {
    return feedforward;
  }

  /** Whether the vector takes part. */
  void setEnabled(boolean enabled) {
    this.enabled = enabled;
  }

  @Override
  public LinearLayer base() {
    return base.get();
  }

  @Override
  public long inFeatures() {
    return base.get().inFeatures();
  }

  @Override
  public long outFeatures() {
    return base.get().outFeatures();
  }
}
