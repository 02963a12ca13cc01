package dev.panatune.peft;

import dev.panatune.nn.Embedding;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * An embedding with a low-rank update of its table beside it: {@code base(ids) + scaling * A[ids]
 * B}.
 *
 * <p>As in PEFT, A is [r, vocabulary] and B [hidden, r], both float32; fresh, A is zero and B
 * normal. There is no dropout. The sum has the base's dtype.
 */
final class LoraEmbedding extends LowRankLayer<UnaryLayer> {
  private static final String A = "lora_embedding_A";
  private static final String B = "lora_embedding_B";
  private static final Op NORMAL = Op.find("aten::normal_", "");

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
    super(UnaryLayer.class, table, state, scale.scaling());
    Tensor a = Tensor.zeros(DType.FLOAT32, scale.r(), vocabulary).keep();
    if (!zero) {
      NORMAL.run(a, 0.0, 1.0);
    }
    addParameter(A, a);
    addParameter(B, Tensor.randn(DType.FLOAT32, hidden, scale.r()).keep());
    if (useDora) {
      decompose(0);
    }
  }

  /** From ids [...] and their rows [..., hidden] to the rows with the update. */
  @Override
  Tensor updated(Tensor ids, Tensor result) {
    Tensor rows = Tensor.embedding(ownParameter(A).t(), ids);
    Tensor update = rows.matmul(ownParameter(B).t()).mul(scaling());
    // The base's rows are scaled already, in Gemma for one; norms are those of the table itself.
    double scale = ((Embedding) OriginalModules.inner(this)).scale();
    if (scale != 1) {
      update = update.mul(scale);
    }
    if (!isDecomposed()) {
      return result.add(update).to(result.dtype());
    }
    Tensor factor = magnitudeFactor();
    return factor.mul(result).add(factor.mul(update)).to(result.dtype());
  }

  /** The product lies as [hidden, vocabulary]. */
  @Override
  Tensor delta() {
    try (TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(super.delta().t());
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
  SequencedMap<String, Tensor> factors() {
    SequencedMap<String, Tensor> factors = new LinkedHashMap<>();
    factors.put(A, ownParameter(A));
    factors.put(B, ownParameter(B));
    return factors;
  }
}
