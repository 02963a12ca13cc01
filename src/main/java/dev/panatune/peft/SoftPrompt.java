package dev.panatune.peft;

import dev.panatune.model.VirtualTokens;
import dev.panatune.nn.Embedding;
import dev.panatune.tensor.Tensor;

/** The embeddings of virtual tokens, float32 [V, hidden]. */
final class SoftPrompt extends VirtualTokens.Prompt {
  private final Embedding embedding;

  SoftPrompt(Tensor weight) {
    super((int) weight.size(0));
    embedding = new Embedding(weight);
    addChild("embedding", Embedding.class, embedding);
  }

  @Override
  public Tensor embeddings() {
    return embedding.weight();
  }
}
