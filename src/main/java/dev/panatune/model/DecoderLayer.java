package dev.panatune.model;

import dev.panatune.nn.Attention;
import dev.panatune.nn.DecodeBlock;
import dev.panatune.nn.Dropout;
import dev.panatune.nn.Module;
import dev.panatune.nn.PastKeyValues;
import dev.panatune.nn.ResidualJoin;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Optional;
import java.util.OptionalInt;

/** Attention and MLP, each among the family's norms and added to the residual stream. */
public final class DecoderLayer extends Module {
  private final Slot<Attention> attention;
  private final Slot<UnaryLayer> mlp;
  private final Optional<Slot<UnaryLayer>> attentionNorm;
  private final Optional<Slot<UnaryLayer>> attentionOutputNorm;
  private final Optional<Slot<UnaryLayer>> mlpNorm;
  private final Optional<Slot<UnaryLayer>> mlpOutputNorm;
  private final OptionalInt rope;
  private final boolean parallel;
  private final Dropout dropout;
  private final double multiplier;
  private Slot<ResidualJoin> attentionJoin;
  private Slot<ResidualJoin> mlpJoin;

  DecoderLayer(ModelConfig config, int index, String path, ParameterSource source) {
    ModuleNames names = config.family().names();
    LayerParts parts = new LayerParts(config, index, path, source);
    attention = addChild(names.attention(), Attention.class, parts.attention());
    mlp = addChild("mlp", UnaryLayer.class, parts.mlp());
    attentionNorm = norm(names.attentionNorm(), parts);
    attentionOutputNorm = norm(names.attentionOutputNorm(), parts);
    mlpNorm = norm(names.mlpNorm(), parts);
    mlpOutputNorm = norm(names.mlpOutputNorm(), parts);
    rope = config.positions().ropeOfLayer().get(index);
    parallel = config.parallelResidual();
    multiplier = config.multipliers().residual();
    dropout = new Dropout(config.dropouts().residual());
  }

  private Optional<Slot<UnaryLayer>> norm(Optional<String> name, LayerParts parts) {
    return name.map(present -> addChild(present, UnaryLayer.class, parts.norm(present)));
  }

  /**
   * Computes the layer in a scope of its own, so that afterwards only its result and what autograd
   * saved are alive.
   *
   * @param hidden [B, T, hidden]
   * @param positions of the T tokens
   * @param past takes this input's keys and values, and gives the earlier ones; null for none
   * @return [B, T, hidden], in the caller's scope
   */
  public Tensor forward(Tensor hidden, Positions positions, PastKeyValues past) {
    Optional<Tensor> one =
        isPlain() && positions.firstKeys().isEmpty()
            ? block().forward(hidden, positions.rotary(rope), past)
            : Optional.empty();
    if (one.isPresent()) {
      return one.get();
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor attended =
          attention
              .get()
              .forward(
                  applied(attentionNorm, hidden),
                  positions.rotary(rope),
                  positions.firstKeys().orElse(null),
                  past);
      Tensor between = joined(attentionJoin, added(attentionOutputNorm, attended), hidden);
      Tensor transformed = mlp.get().forward(applied(mlpNorm, parallel ? hidden : between));
      return scope.moveToOuter(joined(mlpJoin, added(mlpOutputNorm, transformed), between));
    }
  }

  /**
   * Whether what the attention and then the MLP compute is added to the residual stream as it is.
   */
  private boolean isPlain() {
    return !parallel && multiplier == 1 && !hasJoins() && !dropout.isActive();
  }

  private DecodeBlock block() {
    return new DecodeBlock(
        inside(attentionNorm),
        attention.get(),
        inside(attentionOutputNorm),
        inside(mlpNorm),
        mlp.get(),
        inside(mlpOutputNorm));
  }

  private static UnaryLayer inside(Optional<Slot<UnaryLayer>> norm) {
    return norm.map(Slot::get).orElse(null);
  }

  /** Sets whether the model is trained, or used. */
  void setTraining(boolean training) {
    dropout.setTraining(training);
    attention.get().setTraining(training);
  }

  /**
   * Lets a module say how the attention's output joins the residual stream. It becomes a part of
   * the layer, under the name that `adapters` has for it.
   */
  public <M extends Module & ResidualJoin> void joinAttentionBy(M module) {
    attentionJoin = addChild("attention_adapters", ResidualJoin.class, module);
  }

  /** The same for the MLP's output. */
  public <M extends Module & ResidualJoin> void joinMlpBy(M module) {
    mlpJoin = addChild("output_adapters", ResidualJoin.class, module);
  }

  /** Returns whether a module says how outputs join the residual stream. */
  public boolean hasJoins() {
    return attentionJoin != null || mlpJoin != null;
  }

  private static Tensor joined(Slot<ResidualJoin> join, Tensor output, Tensor residual) {
    return join == null ? residual.add(output) : join.get().join(output, residual);
  }

  private static Tensor applied(Optional<Slot<UnaryLayer>> norm, Tensor input) {
    return norm.isEmpty() ? input : norm.get().get().forward(input);
  }

  /** What an output adds to the residual stream. */
  private Tensor added(Optional<Slot<UnaryLayer>> norm, Tensor output) {
    return scaled(applied(norm, dropout.apply(output)));
  }

  private Tensor scaled(Tensor added) {
    return multiplier == 1 ? added : added.mul(multiplier);
  }
}
