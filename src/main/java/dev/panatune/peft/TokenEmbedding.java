package dev.panatune.peft;

import dev.panatune.nn.Embedding;
import dev.panatune.nn.Module;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * An embedding of which some tokens' rows are replaced by trained ones.
 *
 * <p>The trained rows are float32 [tokens, hidden] and start as the table's own.
 */
final class TokenEmbedding extends Module implements TokenLayer {
  static final String DELTA = "trainable_tokens_delta";

  private static final Op INDEX_COPY = Op.find("aten::index_copy", "");

  private final Slot<UnaryLayer> base;
  private final AdapterState state;
  private final List<Integer> ids;
  private final Tensor index;
  private final Tensor places;

  /**
   * Wraps a table.
   *
   * @param weight the table [vocabulary, hidden], of which the trained rows are copied
   * @param ids the tokens, all different and below the vocabulary's size
   */
  TokenEmbedding(UnaryLayer table, AdapterState state, Tensor weight, List<Integer> ids) {
    base = addChild("base_layer", UnaryLayer.class, table);
    this.state = state;
    this.ids = List.copyOf(ids);
    try (TensorScope _ = TensorScope.open()) {
      index = TokenHead.index(ids).keep();
      Tensor none = Tensor.full(-1, DType.INT64, weight.size(0));
      places = INDEX_COPY.call(none, 0, index, Tensor.arange(0, ids.size(), DType.INT64)).keep();
      addParameter(DELTA, TokenHead.rows(weight, index).keep());
    }
  }

  @Override
  public Tensor forward(Tensor ids) {
    return state.forward(base.get(), ids, this::updated);
  }

  private Tensor updated(Tensor ids, Tensor result) {
    Tensor place = places.indexSelect(0, ids.reshape(-1)).reshape(ids.shape());
    Tensor trained = place.ge(0);
    Tensor rows = Tensor.embedding(delta(), place.mul(trained)).to(result.dtype());
    Tensor scaled = ((Embedding) OriginalModules.inner(this)).scaled(rows);
    return Tensor.where(trained.unsqueeze(-1), scaled, result);
  }

  @Override
  public List<Integer> ids() {
    return ids;
  }

  /** The trained rows, float32 [tokens, hidden]. */
  Tensor delta() {
    return ownParameter(DELTA);
  }

  @Override
  public Tensor mergedInto(Tensor weight) {
    return INDEX_COPY.call(weight, 0, index, delta().detach());
  }

  @Override
  public SequencedMap<String, Tensor> tensors() {
    SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("token_adapter." + DELTA, delta());
    return tensors;
  }

  @Override
  public UnaryLayer base() {
    return base.get();
  }

  @Override
  public void close() {
    super.close();
    index.close();
    places.close();
  }
}
