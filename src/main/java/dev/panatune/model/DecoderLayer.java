package dev.panatune.model;

import dev.panatune.nn.Attention;
import dev.panatune.nn.GatedMlp;
import dev.panatune.nn.KvCache;
import dev.panatune.nn.Module;
import dev.panatune.nn.RmsNorm;
import dev.panatune.nn.RotaryTables;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;

/** Attention and MLP, each behind a norm and added to the residual stream. */
public final class DecoderLayer extends Module {
  private final Slot<UnaryLayer> inputNorm;
  private final Slot<Attention> attention;
  private final Slot<UnaryLayer> postAttentionNorm;
  private final Slot<UnaryLayer> mlp;

  DecoderLayer(ModelConfig config, String path, ParameterSource source) {
    attention = addChild("self_attn", Attention.class, attention(config, path, source));
    mlp = addChild("mlp", UnaryLayer.class, mlp(config, path, source));
    inputNorm =
        addChild(
            "input_layernorm", UnaryLayer.class, norm(config, path + ".input_layernorm", source));
    postAttentionNorm =
        addChild(
            "post_attention_layernorm",
            UnaryLayer.class,
            norm(config, path + ".post_attention_layernorm", source));
  }

  private static Attention attention(ModelConfig config, String path, ParameterSource source) {
    String self = path + ".self_attn";
    long hidden = config.hiddenSize();
    long queryWidth = (long) config.queryHeads() * config.headDim();
    long keyWidth = (long) config.keyValueHeads() * config.headDim();
    boolean bias = config.attentionBias();
    return new Attention(
        new Attention.Heads(
            config.queryHeads(),
            config.keyValueHeads(),
            config.headDim(),
            1 / Math.sqrt(config.headDim())),
        source.linear(self + ".q_proj", queryWidth, hidden, bias),
        source.linear(self + ".k_proj", keyWidth, hidden, bias),
        source.linear(self + ".v_proj", keyWidth, hidden, bias),
        source.linear(self + ".o_proj", hidden, queryWidth, bias));
  }

  private static GatedMlp mlp(ModelConfig config, String path, ParameterSource source) {
    String self = path + ".mlp";
    long hidden = config.hiddenSize();
    long width = config.intermediateSize();
    boolean bias = config.mlpBias();
    return new GatedMlp(
        source.linear(self + ".gate_proj", width, hidden, bias),
        source.linear(self + ".up_proj", width, hidden, bias),
        source.linear(self + ".down_proj", hidden, width, bias),
        config.activation());
  }

  private static RmsNorm norm(ModelConfig config, String path, ParameterSource source) {
    return new RmsNorm(
        source.parameter(path + ".weight", config.hiddenSize()), config.normEpsilon());
  }

  /**
   * Computes the layer in a scope of its own, so that afterwards only its result and what autograd
   * saved are alive.
   *
   * @param hidden [B, T, hidden]
   * @param positions the tables of the T positions
   * @param cache takes this input's keys and values, and gives the earlier ones; null for none
   * @return [B, T, hidden], in the caller's scope
   */
  public Tensor forward(Tensor hidden, RotaryTables positions, KvCache.Layer cache) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor normed = inputNorm.get().forward(hidden);
      Tensor attended = hidden.add(attention.get().forward(normed, positions, cache));
      Tensor output = attended.add(mlp.get().forward(postAttentionNorm.get().forward(attended)));
      return scope.moveToOuter(output);
    }
  }
}
