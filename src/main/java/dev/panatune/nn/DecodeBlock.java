package dev.panatune.nn;

import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import java.util.Optional;

/**
 * The parts of a decoder layer that one operator computes for one token: generation is bound by
 * reading the weights, and what surrounds single operators costs as much as they do.
 *
 * @param attentionNorm before the attention; null for none
 * @param attentionOutputNorm of what the attention adds; null for none
 * @param mlpNorm before the MLP; null for none
 * @param mlpOutputNorm of what the MLP adds; null for none
 */
public record DecodeBlock(
    UnaryLayer attentionNorm,
    Attention attention,
    UnaryLayer attentionOutputNorm,
    UnaryLayer mlpNorm,
    UnaryLayer mlp,
    UnaryLayer mlpOutputNorm) {
  private static final Op DECODE_BLOCK = Op.find("panatune::decode_block", "");

  /**
   * Computes the layer for a single token after others on the CPU, without gradients and autocast,
   * if its parts are plain ones: RMS norms, separate dense or quantised projections with nothing
   * around them, scores without a soft cap, a gated MLP.
   *
   * @param hidden [B, T, hidden]
   * @param rotary the tables of the T positions; null where nothing is rotated
   * @param past where this token's keys and values go
   * @return [B, T, hidden]; empty if the parts must be computed one after another
   */
  public Optional<Tensor> forward(Tensor hidden, RotaryTables rotary, PastKeyValues past) {
    if (!(past instanceof KvCache.Layer cache)
        || !(mlp instanceof GatedMlp gated)
        || hidden.size(0) != 1
        || hidden.size(1) != 1
        || cache.isEmpty()
        || hidden.device().kind() != Device.Kind.CPU
        || GradMode.isEnabled()
        || Autocast.isEnabled(Device.Kind.CPU)) {
      return Optional.empty();
    }
    DecodeParts parts = new DecodeParts();
    Optional<String> activation = gated.activation().decodeName();
    boolean plain =
        activation.isPresent()
            && parts.norm(attentionNorm)
            && attention.addNorms(parts)
            && parts.norm(attentionOutputNorm)
            && parts.norm(mlpNorm)
            && parts.norm(mlpOutputNorm)
            && attention.addProjections(parts)
            && gated.addProjections(parts);
    if (!plain) {
      return Optional.empty();
    }
    AttentionScores scores = attention.scores();
    KvCache.Contents room = cache.room(1);
    return Optional.of(
        DECODE_BLOCK.call(
            hidden,
            parts.tensors(),
            parts.layout(),
            room.keys(),
            room.values(),
            cache.position(),
            rotary == null ? null : rotary.cos(),
            rotary == null ? null : rotary.sin(),
            scores.scale(),
            scores.window().orElse(0),
            parts.epsilon(),
            parts.onePlus(),
            activation.get()));
  }
}
