package dev.panatune.peft;

import dev.panatune.model.ModelConfig;
import dev.panatune.model.VirtualTokens;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.Linear;
import dev.panatune.nn.Module;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Optional;

/**
 * Keys and values in front of every text: learnt as they are, or made of learnt embeddings by an
 * MLP. All parameters are float32.
 */
final class PrefixEncoder extends VirtualTokens.Prefix {
  private static final Op UNIFORM = Op.find("aten::uniform_", "");
  private static final Op TANH = Op.find("aten::tanh", "");

  private final ModelConfig config;
  private final Embedding embedding;
  private final Optional<Projection> projection;

  private PrefixEncoder(
      ModelConfig config, int count, Embedding embedding, Optional<Projection> projection) {
    super(count);
    this.config = config;
    this.embedding = addChild(Embedding.class, embedding);
    this.projection = projection;
    projection.ifPresent(module -> addChild("transform", Projection.class, module));
  }

  private Embedding addChild(Class<Embedding> kind, Embedding child) {
    addChild("embedding", kind, child);
    return child;
  }

  /** Random or zero keys and values, [V, 2 layers * {@link #tokenSize}] as they are stored. */
  static PrefixEncoder flat(ModelConfig config, int count, boolean zero) {
    long width = 2L * config.layerCount() * tokenSize(config);
    return new PrefixEncoder(
        config, count, new Embedding(table(count, width, zero)), Optional.empty());
  }

  /**
   * Random embeddings [V, tokenSize] and the MLP behind them.
   *
   * @param hidden the MLP's width
   * @param zero whether what comes out of it is zero at first
   */
  static PrefixEncoder projected(ModelConfig config, int count, int hidden, boolean zero) {
    int size = tokenSize(config);
    Projection projection =
        new Projection(
            linear(size, hidden, false), linear(hidden, 2 * config.layerCount() * size, zero));
    return new PrefixEncoder(
        config, count, new Embedding(table(count, size, false)), Optional.of(projection));
  }

  /** The elements of one layer's keys at one position. */
  static int tokenSize(ModelConfig config) {
    return config.keyValueHeads() * config.headDim();
  }

  private static Tensor table(long rows, long width, boolean zero) {
    return (zero
            ? Tensor.zeros(DType.FLOAT32, rows, width)
            : Tensor.randn(DType.FLOAT32, rows, width))
        .keep();
  }

  /** As PyTorch starts a linear layer: weight and bias uniform within 1 / sqrt(in). */
  private static Linear linear(long in, long out, boolean zero) {
    Tensor weight = Tensor.zeros(DType.FLOAT32, out, in).keep();
    Tensor bias = Tensor.zeros(DType.FLOAT32, out).keep();
    if (!zero) {
      double bound = 1 / Math.sqrt(in);
      UNIFORM.run(weight, -bound, bound);
      UNIFORM.run(bias, -bound, bound);
    }
    return new Linear(weight, bias);
  }

  /** Two layers with a tanh between them, under the names that PyTorch's Sequential gives them. */
  private static final class Projection extends Module {
    private final Linear first;
    private final Linear second;

    Projection(Linear first, Linear second) {
      this.first = first;
      this.second = second;
      addChild("0", Linear.class, first);
      addChild("2", Linear.class, second);
    }

    Tensor forward(Tensor input) {
      return second.forward(TANH.<Tensor>call(first.forward(input)));
    }
  }

  /** Whether an MLP makes the keys and values. */
  boolean isProjected() {
    return projection.isPresent();
  }

  /**
   * The keys and values as a file holds them, [V, 2 layers * tokenSize], in the innermost scope.
   */
  Tensor flat() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor stored = embedding.weight();
      return scope.moveToOuter(
          projection.map(mlp -> mlp.forward(stored)).orElseGet(() -> stored.view(stored.shape())));
    }
  }

  /** The table that holds what is learnt. */
  Tensor table() {
    return embedding.weight();
  }

  @Override
  public Tensor keysAndValues() {
    try (TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(
          flat()
              .view(count(), 2L * config.layerCount(), config.keyValueHeads(), config.headDim())
              .permute(1, 2, 0, 3));
    }
  }
}
