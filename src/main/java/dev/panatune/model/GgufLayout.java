package dev.panatune.model;

import dev.panatune.tensor.Tensor;

/**
 * How llama.cpp's converter lays a family's parameters out in a GGUF file, where that is not as in
 * the Hugging Face model.
 */
final class GgufLayout {
  private final ModelConfig config;

  GgufLayout(ModelConfig config) {
    this.config = config;
  }

  /**
   * Returns the shape in the model of a stored parameter, or the stored shape of one of the model:
   * what is turned in the one is turned back in the other.
   *
   * @param name the parameter's name in the model
   */
  long[] otherShape(String name, long[] shape) {
    return isTransposed(name, shape.length) ? new long[] {shape[1], shape[0]} : shape;
  }

  /**
   * Returns what a stored parameter is in the model.
   *
   * @param name its name in the model
   */
  Tensor inModel(String name, Tensor stored) {
    if (isTransposed(name, stored.rank())) {
      return stored.t().contiguous();
    }
    if (isNormOfOnePlus(name)) {
      return stored.sub(1);
    }
    long[] shape = stored.shape();
    if (isInterleaved(name)) {
      return stored
          .reshape(3, config.queryHeads(), config.headDim(), -1)
          .transpose(0, 1)
          .reshape(shape);
    }
    int heads = permutedHeads(name);
    return heads == 0
        ? stored
        : stored.reshape(heads, shape[0] / heads / 2, 2, -1).transpose(1, 2).reshape(shape);
  }

  /**
   * Returns what is stored of a parameter of the model.
   *
   * @param name its name in the model
   */
  Tensor stored(String name, Tensor value) {
    if (isTransposed(name, value.rank())) {
      return value.t().contiguous();
    }
    if (isNormOfOnePlus(name)) {
      return value.add(1);
    }
    long[] shape = value.shape();
    if (isInterleaved(name)) {
      return value
          .reshape(config.queryHeads(), 3, config.headDim(), -1)
          .transpose(0, 1)
          .reshape(shape);
    }
    int heads = permutedHeads(name);
    return heads == 0
        ? value
        : value.reshape(heads, 2, shape[0] / heads / 2, -1).transpose(1, 2).reshape(shape);
  }

  /** A Conv1D is stored as a linear layer. */
  private boolean isTransposed(String name, int rank) {
    return rank == 2
        && config.family().structure().conv1d()
        && name.contains("." + config.family().names().layers() + ".");
  }

  private boolean isNormOfOnePlus(String name) {
    return config.norm().kind() == NormConfig.Kind.RMS_ONE_PLUS && name.endsWith("norm.weight");
  }

  /** Each head's query, key and value are stored as all queries, all keys, all values. */
  private boolean isInterleaved(String name) {
    return config.attention().layout() == AttentionConfig.Layout.INTERLEAVED
        && name.contains("." + config.family().names().projection().orElseThrow() + ".");
  }

  /** Returns the heads whose rows are stored as (pair, half), not (half, pair); 0 for none. */
  private int permutedHeads(String name) {
    boolean permutes =
        switch (config.family()) {
          case LLAMA, MISTRAL, GRANITE, SMOLLM3 -> true;
          default -> false;
        };
    if (permutes && name.contains(".q_proj.")) {
      return config.queryHeads();
    }
    return permutes && name.contains(".k_proj.") ? config.keyValueHeads() : 0;
  }
}
