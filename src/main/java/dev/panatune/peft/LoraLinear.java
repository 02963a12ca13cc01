package dev.panatune.peft;

import dev.panatune.nn.JointLinear;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * A linear layer with a low-rank update beside it: {@code base(x) + scaling * B(A(dropout(x)))}.
 *
 * <p>A is [r, in] and B [out, r], both float32; B may have a bias, and the whole may be decomposed
 * ({@link Dora}). The sum has the base layer's dtype.
 */
public final class LoraLinear extends LowRankLayer<LinearLayer>
    implements AdaptedLinear, JointLinear {
  private final Linear down;
  private final Linear up;
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
    super(LinearLayer.class, baseLayer, state, scaling);
    down = new Linear(factors.a(), null);
    up = new Linear(factors.b(), bias);
    addChild("lora_A", Linear.class, down);
    addChild("lora_B", Linear.class, up);
    dropout = config.loraDropout();
    if (config.useDora()) {
      decompose(1);
    }
  }

  @Override
  public Tensor forward(Tensor input) {
    return LoraKernel.forward(input, List.of(this))
        .map(outputs -> outputs[0])
        .orElseGet(() -> super.forward(input));
  }

  @Override
  public Optional<Tensor[]> forwardTogether(Tensor input, List<LinearLayer> layers) {
    return LoraKernel.forward(input, layers);
  }

  /** Whether the layer is LoRA without additions, for all rows of every batch. */
  boolean isPlain() {
    return state().isWhole() && !isDecomposed() && !hasBias();
  }

  /** The share of the update's input that is dropped now. */
  double activeDropout() {
    return state().isTraining() ? dropout : 0;
  }

  @Override
  Tensor updated(Tensor input, Tensor result) {
    // Under autocast the products choose their type, and all layers share one saved input.
    Tensor x = Autocast.isEnabled(input.device().kind()) ? input : input.to(DType.FLOAT32);
    boolean drops = activeDropout() > 0;
    if (drops) {
      x = x.dropout(dropout);
    }
    Tensor update = up.forward(down.forward(x)).mul(scaling());
    if (isDecomposed()) {
      Tensor plain = drops ? innermostLayer().forward(x.to(input.dtype())) : result;
      update = decomposed(plain, update);
    }
    return result.add(update).to(result.dtype());
  }

  /** What is to be added to the base's result so that the sum has the learnt magnitudes. */
  private Tensor decomposed(Tensor plain, Tensor update) {
    Tensor factor = magnitudeFactor();
    Tensor unbiased = weight().bias().map(plain::sub).orElse(plain);
    return factor.sub(1).mul(unbiased).add(factor.mul(update));
  }

  private LinearLayer innermostLayer() {
    return (LinearLayer) OriginalModules.inner(this);
  }

  @Override
  public Tensor mergedIntoBias(Tensor bias) {
    return up.bias().map(own -> bias.add(own.detach().mul(scaling()))).orElse(bias);
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
  SequencedMap<String, Tensor> factors() {
    SequencedMap<String, Tensor> factors = new LinkedHashMap<>();
    factors.put("lora_A.weight", loraA());
    factors.put("lora_B.weight", loraB());
    up.bias().ifPresent(bias -> factors.put("lora_B.bias", bias));
    return factors;
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
    return base().inFeatures();
  }

  @Override
  public long outFeatures() {
    return base().outFeatures();
  }
}
