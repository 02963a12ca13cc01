package dev.panatune.peft;

import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/**
 * A linear layer with a low-rank update beside it: {@code base(x) + scaling * B(A(dropout(x)))}.
 *
 * <p>A is [r, in] and B [out, r], both float32; the sum has the base layer's dtype.
 */
public final class LoraLinear extends Module implements AdaptedLinear {
  private static final Op UNIFORM = Op.find("aten::uniform_", "");

  private final Slot<LinearLayer> base;
  private final Linear down;
  private final Linear up;
  private final double scaling;
  private final double dropout;
  private boolean training;
  private boolean enabled = true;

  private LoraLinear(LinearLayer baseLayer, Tensor a, Tensor b, LoraConfig config) {
    base = addChild("base_layer", LinearLayer.class, baseLayer);
    down = new Linear(a, null);
    up = new Linear(b, null);
    addChild("lora_A", Linear.class, down);
    addChild("lora_B", Linear.class, up);
    scaling = config.scaling();
    dropout = config.loraDropout();
  }

  /**
   * Wraps a layer. As in PEFT, A is drawn uniformly from ±1/sqrt(in) (Kaiming, a = sqrt 5) with the
   * default generator, and B is zero, so that the layer computes what it did.
   */
  static LoraLinear around(LinearLayer base, LoraConfig config) {
    double bound = 1 / Math.sqrt(base.inFeatures());
    Tensor a = Tensor.empty(DType.FLOAT32, config.r(), base.inFeatures()).keep();
    UNIFORM.run(a, -bound, bound);
    Tensor b = Tensor.zeros(DType.FLOAT32, base.outFeatures(), config.r()).keep();
    return new LoraLinear(base, a, b, config);
  }

  @Override
  public Tensor forward(Tensor input) {
    if (!enabled) {
      return base.get().forward(input);
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor result = base.get().forward(input);
      // Under autocast the products choose their type, and all layers share one saved input.
      Tensor x = Autocast.isEnabled(input.device().kind()) ? input : input.to(DType.FLOAT32);
      if (training && dropout > 0) {
        x = x.dropout(dropout);
      }
      Tensor update = up.forward(down.forward(x)).mul(scaling);
      return scope.moveToOuter(result.add(update).to(result.dtype()));
    }
  }

  /** Adds {@code scaling * B A}. */
  @Override
  public Tensor mergedInto(Tensor weight) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor delta = up.weight().detach().mm(down.weight().detach()).mul(scaling);
      return scope.moveToOuter(weight.add(delta));
    }
  }

  @Override
  public LinearLayer base() {
    return base.get();
  }

  /** A, float32 [r, in]. */
  public Tensor loraA() {
    return down.weight();
  }

  /** B, float32 [out, r]. */
  public Tensor loraB() {
    return up.weight();
  }

  /** Gradients are computed for A and B. */
  void markTrainable() {
    down.setTrainable(true);
    up.setTrainable(true);
  }

  /** Whether dropout is applied. */
  void setTraining(boolean training) {
    this.training = training;
  }

  /** Whether the update is added. */
  void setEnabled(boolean enabled) {
    this.enabled = enabled;
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
