package dev.panatune.peft;

import dev.panatune.nn.Module;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * What a layer with a low-rank update is, whatever it looks up or multiplies: its base, the
 * update's scaling and magnitudes, and how the update goes into the base's weight.
 *
 * @param <L> what the base is
 */
abstract sealed class LowRankLayer<L extends UnaryLayer> extends Module implements LoraLayer
    permits LoraLinear, LoraEmbedding {
  private static final String MAGNITUDES = "lora_magnitude_vector";

  private final Slot<L> base;
  private final AdapterState state;
  private double scaling;
  private Optional<Dora> dora = Optional.empty();

  /** Wraps a layer; subclasses add A and B, and then call {@link #decompose} where it is wanted. */
  LowRankLayer(Class<L> kind, L layer, AdapterState state, double scaling) {
    base = addChild("base_layer", kind, layer);
    this.state = state;
    this.scaling = scaling;
  }

  /**
   * Gives the weight magnitudes of its own, which start as those that it has with the update.
   *
   * @param dim over which a norm is taken: 1 for [out, in], 0 for [vocabulary, hidden]
   */
  final void decompose(int dim) {
    try (TensorScope _ = TensorScope.open()) {
      Dora magnitudes = new Dora(weight().exact().add(delta()), dim);
      addChild(MAGNITUDES, Dora.class, magnitudes);
      dora = Optional.of(magnitudes);
    }
  }

  /** A and B, and what else the update has but magnitudes, by the file's names. */
  abstract SequencedMap<String, Tensor> factors();

  /** {@code scaling * B A} as the base's weight lies, float32, in the innermost scope. */
  Tensor delta() {
    try (TensorScope scope = TensorScope.open();
        Autocast _ = Autocast.disable(a().device().kind())) {
      return scope.moveToOuter(update());
    }
  }

  @Override
  public Tensor forward(Tensor input) {
    return state.forward(base.get(), input, this::updated);
  }

  /** From the input and the base's result to the result with the update. */
  abstract Tensor updated(Tensor input, Tensor result);

  final AdapterState state() {
    return state;
  }

  /** Whether the weight has magnitudes of its own. */
  final boolean isDecomposed() {
    return dora.isPresent();
  }

  /** What the sum of weight and update is multiplied by to have its magnitudes: a vector. */
  final Tensor magnitudeFactor() {
    return dora.orElseThrow().factor(weight().exact(), delta());
  }

  /** The weight below all adapters. */
  final BaseWeight weight() {
    return BaseWeight.of(OriginalModules.inner(this)).orElseThrow();
  }

  @Override
  public final Tensor mergedInto(Tensor weight) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor delta = delta();
      Tensor sum = weight.add(delta);
      return scope.moveToOuter(
          dora.map(it -> it.applied(sum, weight().exact(), delta)).orElse(sum));
    }
  }

  @Override
  public final double scaling() {
    return scaling;
  }

  @Override
  public final void setScaling(double scaling) {
    this.scaling = scaling;
  }

  @Override
  public final SequencedMap<String, Tensor> tensors() {
    SequencedMap<String, Tensor> tensors = factors();
    dora.ifPresent(it -> tensors.put(MAGNITUDES, it.magnitude()));
    return tensors;
  }

  @Override
  public final L base() {
    return base.get();
  }
}
