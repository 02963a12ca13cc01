package dev.panatune.model;

import dev.panatune.nn.Module;
import dev.panatune.tensor.Tensor;

/** What a method of fine-tuning puts in front of every text, where tokens would be. */
public abstract sealed class VirtualTokens extends Module {
  private final int count;

  private VirtualTokens(int count) {
    this.count = count;
  }

  /** The positions that they take. */
  public final int count() {
    return count;
  }

  /** Embeddings in front of those of the text. */
  public abstract static non-sealed class Prompt extends VirtualTokens {
    /** For so many positions. */
    protected Prompt(int count) {
      super(count);
    }

    /** The embeddings [V, hidden], differentiable, in the innermost scope or the module's own. */
    public abstract Tensor embeddings();
  }

  /** Keys and values in front of those of the text, in every layer. */
  public abstract static non-sealed class Prefix extends VirtualTokens {
    /** For so many positions. */
    protected Prefix(int count) {
      super(count);
    }

    /**
     * The keys of layer i at 2i and its values at 2i + 1, differentiable, [2 layers, keyValueHeads,
     * V, headDim], in the innermost scope.
     */
    public abstract Tensor keysAndValues();
  }
}
