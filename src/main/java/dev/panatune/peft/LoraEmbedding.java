package dev.panatune.peft;

import dev.panatune.nn.Embedding;
import dev.panatune.nn.Module;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * An embedding with a low-rank update of its table beside it: {@code base(ids) + scaling * A[ids]
 * B}.
 *
 * <p>As in PEFT, A is [r, vocabulary] and B [hidden, r], both float32; fresh, A is zero and B
 * normal. There is no dropout. The sum has the base's dtype.
 */
final class LoraEmbedding extends Module implements LoraLayer {
  private static final String A = "lora_embedding_A";
  private static final String B = "lora_embedding_B";
  private static final Op NORMAL = Op.find("aten::normal_", "");

  private final Slot<UnaryLayer> base;
  private final AdapterState state;
  private final Optional<Dora> dora;
  private double scaling;

  /**
   * Wraps a table of {@code vocabulary} rows of {@code hidden}.
   *
   * @param zero whether A starts at zero, so that the table is as it was; otherwise it is normal
   */
  LoraEmbedding(
      UnaryLayer table,
      AdapterState state,
      long vocabulary,
      long hidden,
      LoraScale scale,
      boolean zero,
      boolean useDora) {
    base = addChild("base_layer", UnaryLayer.class, table);
    this.state = state;
    scaling = scale.scaling();
    Tensor a = Tensor.zeros(DType.FLOAT32, scale.r(), vocabulary).keep();
    if (!zero) {
      NORMAL.run(a, 0.0, 1.0);
    }
    addParameter(A, a);
    addParameter(B, Tensor.randn(DType.FLOAT32, hidden, scale.r()).keep());
    dora = useDora ? Optional.of(addDora()) : Optional.empty();
  }

  private Dora addDora() {
    try (TensorScope _ = TensorScope.open()) {
      Dora magnitudes = new Dora(innermost().exact().add(delta()), 0);
      addChild("lora_magnitude_vector", Dora.class, magnitudes);
      return magnitudes;
    }
  }

  /** From ids [...] to their rows [..., hidden]. */
  @Override
  public Tensor forward(Tensor ids) {
    return state.forward(base.get(), ids, this::updated);
  }

  private Tensor updated(Tensor ids, Tensor result) {
    Tensor rows = Tensor.embedding(ownParameter(A).t(), ids);
    Tensor update = rows.matmul(ownParameter(B).t()).mul(scaling);
    // The base's rows are scaled already, in Gemma for one; norms are those of the table itself.
    double scale = ((Embedding) OriginalModules.inner(this)).scale();
    if (scale != 1) {
      update = update.mul(scale);
    }
    if (dora.isEmpty()) {
      return result.add(update).to(result.dtype());
    }
    Tensor factor = dora.get().factor(innermost().exact(), delta());
    return factor.mul(result).add(factor.mul(update)).to(result.dtype());
  }

  private BaseWeight innermost() {
    return BaseWeight.of(OriginalModules.inner(this)).orElseThrow();
  }

  /** {@code scaling * (B A)^T}, float32 [vocabulary, hidden], in the innermost scope. */
  Tensor delta() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor product = ownParameter(B).detach().mm(ownParameter(A).detach());
      return scope.moveToOuter(product.t().mul(scaling));
    }
  }

  @Override
  public Tensor mergedInto(Tensor weight) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor delta = delta();
      Tensor sum = weight.add(delta);
      return scope.moveToOuter(
          dora.map(it -> sum.mul(it.factor(innermost().exact(), delta).detach())).orElse(sum));
    }
  }

  @Override
  public Tensor a() {
    return ownParameter(A);
  }

  @Override
  public Tensor b() {
    return ownParameter(B);
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
    tensors.put(A, ownParameter(A));
    tensors.put(B, ownParameter(B));
    dora.ifPresent(it -> tensors.put("lora_magnitude_vector", it.magnitude()));
    return tensors;
  }

  @Override
  public UnaryLayer base() {
    return base.get();
  }
}
