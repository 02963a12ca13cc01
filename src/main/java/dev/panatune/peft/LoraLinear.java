package dev.panatune.peft;

import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * A linear layer with a low-rank update beside it: {@code base(x) + scaling * B(A(dropout(x)))}.
 *
 * <p>A is [r, in] and B [out, r], both float32; B may have a bias, and the whole may be decomposed
 * ({@link Dora}). The sum has the base layer's dtype.
 */
public final class LoraLinear extends Module implements AdaptedLinear, LoraLayer {
  private final Slot<LinearLayer> base;
  private final AdapterState state;
  private final Linear down;
  private final Linear up;
  private final Optional<Dora> dora;
  private double scaling;
  private final double dropout;

  /**
   * Wraps a layer.
   *
   * @param factors A and B, taken over
   * @param bias B's own bias [out], taken over; null for none
   */
  LoraLinear(
      LinearLayer baseLayer,
      AdapterState state,
      LowRank factors,
      Tensor bias,
      double scaling,
      LoraConfig config) {
    base = addChild("base_layer", LinearLayer.class, baseLayer);
    this.state = state;
    this.scaling = scaling;
    down = new Linear(factors.a(), null);
    up = new Linear(factors.b(), bias);
    addChild("lora_A", Linear.class, down);
    addChild("lora_B", Linear.class, up);
    dropout = config.loraDropout();
    dora = config.useDora() ? Optional.of(addDora()) : Optional.empty();
  }

  private Dora addDora() {
    try (TensorScope _ = TensorScope.open()) {
      Dora magnitudes = new Dora(innermost().exact().add(delta()), 1);
      addChild("lora_magnitude_vector", Dora.class, magnitudes);
      return magnitudes;
    }
  }

  @Override
  public Tensor forward(Tensor input) {
    return state.forward(base.get(), input, this::updated);
  }

  private Tensor updated(Tensor input, Tensor result) {
    // Under autocast the products choose their type, and all layers share one saved input.
    Tensor x = Autocast.isEnabled(input.device().kind()) ? input : input.to(DType.FLOAT32);
    boolean drops = state.isTraining() && dropout > 0;
    if (drops) {
      x = x.dropout(dropout);
    }
    Tensor update = up.forward(down.forward(x)).mul(scaling);
    if (dora.isPresent()) {
      Tensor plain = drops ? innermostLayer().forward(x.to(input.dtype())) : result;
      update = decomposed(plain, update);
    }
    return result.add(update).to(result.dtype());
  }

  /** What is to be added to the base's result so that the sum has the learnt magnitudes. */
  private Tensor decomposed(Tensor plain, Tensor update) {
    BaseWeight weight = innermost();
    Tensor factor = dora.orElseThrow().factor(weight.exact(), delta());
    Tensor unbiased = weight.bias().map(plain::sub).orElse(plain);
    return factor.sub(1).mul(unbiased).add(factor.mul(update));
  }

  private LinearLayer innermostLayer() {
    return (LinearLayer) OriginalModules.inner(this);
  }

  private BaseWeight innermost() {
    return BaseWeight.of(OriginalModules.inner(this)).orElseThrow();
  }

  /** {@code scaling * B A}, float32 [out, in], in the innermost scope. */
  Tensor delta() {
    try (TensorScope scope = TensorScope.open();
        Autocast _ = Autocast.disable(loraA().device().kind())) {
      return scope.moveToOuter(loraB().detach().mm(loraA().detach()).mul(scaling));
    }
  }

  @Override
  public Tensor mergedInto(Tensor weight) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor delta = delta();
      Tensor sum = weight.add(delta);
      return scope.moveToOuter(
          dora.map(it -> sum.mul(it.factor(innermost().exact(), delta).detach().unsqueeze(1)))
              .orElse(sum));
    }
  }

  @Override
  public Tensor mergedIntoBias(Tensor bias) {
    return up.bias().map(own -> bias.add(own.detach().mul(scaling))).orElse(bias);
  }

  /** Whether the layer adds a bias of its own, which only another bias can take up. */
  boolean hasBias() {
    return up.bias().isPresent();
  }

  @Override
  public Tensor a() {
    return loraA();
  }

  @Override
  public Tensor b() {
    return loraB();
  }

  @Override
  public double scaling() {
    return scaling;
  }

  @Override
  public void setScaling(double scaling) {
    this.scaling = scaling;
  }

  @Override
  public SequencedMap<String, Tensor> tensors() {
    SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("lora_A.weight", loraA());
    tensors.put("lora_B.weight", loraB());
    up.bias().ifPresent(bias -> tensors.put("lora_B.bias", bias));
    dora.ifPresent(it -> tensors.put("lora_magnitude_vector", it.magnitude()));
    return tensors;
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

  @Override
  public long inFeatures() {
    return base.get().inFeatures();
  }

  @Override
  public long outFeatures() {
    return base.get().outFeatures();
  }
}
