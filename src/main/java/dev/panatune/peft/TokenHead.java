package dev.panatune.peft;

import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * An output head of which some tokens' rows are replaced by trained ones: those tokens' logits are
 * computed from them.
 */
final class TokenHead extends Module implements AdaptedLinear, TokenLayer {
  private static final Op INDEX_COPY = Op.find("aten::index_copy", "");

  private final Slot<LinearLayer> base;
  private final AdapterState state;
  private final List<Integer> ids;
  private final Tensor index;
  private final boolean tied;

  /**
   * Wraps a head without a bias.
   *
   * @param delta the trained rows, float32 [tokens, hidden]
   * @param tied whether they belong to the embedding that the head is tied to
   */
  TokenHead(LinearLayer head, AdapterState state, List<Integer> ids, Tensor delta, boolean tied) {
    base = addChild("base_layer", LinearLayer.class, head);
    this.state = state;
    this.ids = List.copyOf(ids);
    this.tied = tied;
    try (TensorScope _ = TensorScope.open()) {
      index = index(ids).keep();
    }
    addParameter(TokenEmbedding.DELTA, delta);
  }

  /** The rows of some tokens to start from, float32, the caller's. */
  static Tensor start(Tensor weight, List<Integer> ids) {
    try (TensorScope _ = TensorScope.open()) {
      return rows(weight, index(ids)).keep();
    }
  }

  /** The rows of some tokens, float32, in the innermost scope. */
  static Tensor rows(Tensor weight, Tensor index) {
    return weight.detach().indexSelect(0, index).to(DType.FLOAT32);
  }

  /** Token ids as int64 [tokens], in the innermost scope. */
  static Tensor index(List<Integer> ids) {
    return Tensor.ofLongs(ids.stream().mapToLong(Integer::longValue).toArray(), ids.size());
  }

  @Override
  public Tensor forward(Tensor input) {
    return state.forward(base.get(), input, this::updated);
  }

  private Tensor updated(Tensor input, Tensor result) {
    Tensor logits = input.matmul(delta().to(input.dtype()).t());
    return INDEX_COPY.call(result, -1, index, logits.to(result.dtype()));
  }

  private Tensor delta() {
    return ownParameter(TokenEmbedding.DELTA);
  }

  @Override
  public List<Integer> ids() {
    return ids;
  }

  /** Whether the trained rows belong to the embedding. */
  boolean isTied() {
    return tied;
  }

  @Override
  public Tensor mergedInto(Tensor weight) {
    return INDEX_COPY.call(weight, 0, index, delta().detach());
  }

  @Override
  public SequencedMap<String, Tensor> tensors() {
    SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    if (!tied) {
      tensors.put("token_adapter." + TokenEmbedding.DELTA, delta());
    }
    return tensors;
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

  @Override
  public void close() {
    super.close();
    index.close();
  }
}
