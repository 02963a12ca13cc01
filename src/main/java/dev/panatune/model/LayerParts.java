package dev.panatune.model;

import dev.panatune.nn.Attention;
import dev.panatune.nn.AttentionScores;
import dev.panatune.nn.Dropout;
import dev.panatune.nn.GatedMlp;
import dev.panatune.nn.JoinedGatedMlp;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Mlp;
import dev.panatune.nn.NamedLayer;
import dev.panatune.nn.UnaryLayer;
import java.util.Optional;

/** Builds the parts of one decoder layer. */
final class LayerParts {
  private final ModelConfig config;
  private final ModuleNames names;
  private final int index;
  private final String path;
  private final ParameterSource source;

  LayerParts(ModelConfig config, int index, String path, ParameterSource source) {
    this.config = config;
    this.names = config.family().names();
    this.index = index;
    this.path = path;
    this.source = source;
  }

  Attention attention() {
    AttentionConfig options = config.attention();
    return new Attention(
        new Attention.Heads(options.queryHeads(), options.keyValueHeads(), options.headDim()),
        new AttentionScores(
            options.scaleOf(index), options.softCap(), options.windows().get(index)),
        options.layout() == AttentionConfig.Layout.SEPARATE ? separate(options) : joined(options),
        new Dropout(config.dropouts().attention()));
  }

  private Attention.Layers separate(AttentionConfig options) {
    String self = path + "." + names.attention() + ".";
    long hidden = config.hiddenSize();
    long queryWidth = (long) options.queryHeads() * options.headDim();
    long keyWidth = (long) options.keyValueHeads() * options.headDim();
    return new Attention.Layers.Separate(
        linear(self + "q_proj", queryWidth, hidden, options.inputBias()),
        linear(self + "k_proj", keyWidth, hidden, options.inputBias()),
        linear(self + "v_proj", keyWidth, hidden, options.inputBias()),
        linear(self + names.output(), hidden, queryWidth, options.outputBias()),
        norms(options, self));
  }

  private Optional<Attention.Norms> norms(AttentionConfig options, String self) {
    if (options.norm() == AttentionConfig.Norm.NONE) {
      return Optional.empty();
    }
    boolean perHead = options.norm() == AttentionConfig.Norm.PER_HEAD;
    long width = options.headDim();
    return Optional.of(
        new Attention.Norms(
            source.norm(
                self + "q_norm", perHead ? width : width * options.queryHeads(), config.norm()),
            source.norm(
                self + "k_norm", perHead ? width : width * options.keyValueHeads(), config.norm()),
            perHead));
  }

  private Attention.Layers joined(AttentionConfig options) {
    String self = path + "." + names.attention() + ".";
    String input = names.projection().orElseThrow();
    long hidden = config.hiddenSize();
    long queryWidth = (long) options.queryHeads() * options.headDim();
    long keyWidth = (long) options.keyValueHeads() * options.headDim();
    return new Attention.Layers.Joined(
        new NamedLayer(
            input, linear(self + input, queryWidth + 2 * keyWidth, hidden, options.inputBias())),
        options.layout() == AttentionConfig.Layout.INTERLEAVED,
        new NamedLayer(
            names.output(),
            linear(self + names.output(), hidden, queryWidth, options.outputBias())));
  }

  UnaryLayer mlp() {
    MlpConfig options = config.mlp();
    String self = path + ".mlp.";
    long hidden = config.hiddenSize();
    long width = options.width();
    boolean bias = options.bias();
    return switch (options.layout()) {
      case GATED ->
          new GatedMlp(
              linear(self + "gate_proj", width, hidden, bias),
              linear(self + "up_proj", width, hidden, bias),
              linear(self + "down_proj", hidden, width, bias),
              options.activation());
      case JOINED_GATED ->
          new JoinedGatedMlp(
              linear(self + "gate_up_proj", 2 * width, hidden, bias),
              linear(self + "down_proj", hidden, width, bias),
              options.activation());
      case PLAIN ->
          new Mlp(
              new NamedLayer(names.up(), linear(self + names.up(), width, hidden, bias)),
              new NamedLayer(names.down(), linear(self + names.down(), hidden, width, bias)),
              options.activation());
    };
  }

  UnaryLayer norm(String name) {
    return source.norm(path + "." + name, config.hiddenSize(), config.norm());
  }

  private LinearLayer linear(String name, long out, long in, boolean bias) {
    return config.family().structure().conv1d()
        ? source.conv1d(name, out, in, bias)
        : source.linear(name, out, in, bias);
  }
}
