package dev.panatune.train;

import dev.panatune.model.Batch;
import dev.panatune.model.CausalLM;
import dev.panatune.model.DecoderLayer;
import dev.panatune.model.LossSums;
import dev.panatune.model.Positions;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Keeps only the input of every layer, and computes the layers again, from the last to the first,
 * in the backward pass. Losses and gradients are bit for bit those of {@link PlainPass}: dropout
 * draws the same numbers again, since the generator's state is kept with the input.
 */
record CheckpointedPass(CausalLM model, Computation computation) implements TrainingPass {
  /**
   * What is kept of a layer's forward pass.
   *
   * @param input in the scope of the micro-batch
   * @param random the generator's state before the layer ran
   */
  private record Kept(Tensor input, byte[] random) {}

  /**
   * What the layers run on.
   *
   * @param embedded the first one's input
   * @param prefix the keys and values before every text; null for none
   */
  private record Text(Tensor embedded, Positions positions, Tensor prefix) {
    /** One layer's part of the prefix, apart from how it was computed. */
    Tensor prefixOf(int layer) {
      return prefix == null ? null : leaf(prefix.narrow(0, 2L * layer, 2), prefix.requiresGrad());
    }
  }

  @Override
  public MicroBatchLoss run(Batch batch, double factor) {
    try (TensorScope _ = TensorScope.open()) {
      // The embedding keeps nothing but the ids, so there is nothing to gain from running it twice.
      Text text = computation.forward(() -> enter(batch));
      int lowest = lowestTrained(text);
      List<Kept> kept = new ArrayList<>();
      Tensor hidden = forward(text, kept);
      Tensor top = leaf(hidden, lowest < kept.size());
      LossSums sums =
          computation.forward(
              () -> model.loss(model.finalNorm(top), batch.targetRows(), batch.targets()));
      double loss = sums.loss().item();
      if (Double.isFinite(loss)) {
        backward(sums.loss(), factor, top, text, kept, lowest);
      }
      return new MicroBatchLoss(loss, sums.correct().itemLong());
    }
  }

  private Text enter(Batch batch) {
    Tensor embeddings = model.embed(batch.ids());
    Positions positions = model.positions(embeddings, batch);
    return new Text(model.enter(embeddings, positions), positions, model.prefix());
  }

  private Tensor forward(Text text, List<Kept> kept) {
    try (GradMode _ = GradMode.disable()) {
      Tensor hidden = text.embedded;
      for (int i = 0; i < model.config().layerCount(); i++) {
        kept.add(new Kept(hidden, Rng.state()));
        hidden = layer(i, hidden, text, text.prefixOf(i));
      }
      return hidden;
    }
  }

  private void backward(
      Tensor loss, double factor, Tensor top, Text text, List<Kept> kept, int lowest) {
    TiedGradient tied = TiedGradient.setAside(model);
    Autograd.backward(loss, Tensor.scalar(factor, DType.FLOAT32));
    Tensor gradient = top.grad();
    byte[] afterForward = Rng.state();
    Deque<Tensor> ofPrefix = new ArrayDeque<>();
    for (int i = kept.size() - 1; i >= Math.max(lowest, 0); i--) {
      Tensor prefix = text.prefixOf(i);
      Tensor below = backward(i, kept.get(i), text, prefix, gradient, lowest < i);
      gradient.close();
      gradient = below;
      if (prefix != null && prefix.requiresGrad()) {
        ofPrefix.addFirst(prefix.grad());
      }
    }
    Rng.restore(afterForward);
    if (text.embedded.requiresGrad()) {
      Autograd.backward(text.embedded, gradient);
    }
    if (!ofPrefix.isEmpty()) {
      Autograd.backward(text.prefix, Tensor.cat(0, ofPrefix.toArray(Tensor[]::new)));
    }
    tied.putBack();
  }

  /** Returns the gradient of the layer's input; null if it needs none. */
  private Tensor backward(
      int index, Kept kept, Text text, Tensor prefix, Tensor gradient, boolean trainedBelow) {
    try (TensorScope scope = TensorScope.open()) {
      Rng.restore(kept.random);
      Tensor input = leaf(kept.input, trainedBelow);
      Autograd.backward(layer(index, input, text, prefix), gradient);
      Tensor below = input.grad();
      return below == null ? null : scope.moveToOuter(below);
    }
  }

  private Tensor layer(int index, Tensor input, Text text, Tensor prefix) {
    return computation.forward(() -> model.layer(index, input, text.positions, prefix));
  }

  private static Tensor leaf(Tensor value, boolean requiresGrad) {
    return value.detach().requiresGrad(requiresGrad);
  }

  /**
   * The first layer that has something to train; the number of layers if none has, -1 if the
   * embeddings have.
   */
  private int lowestTrained(Text text) {
    if (text.embedded.requiresGrad()) {
      return -1;
    }
    if (text.prefix != null && text.prefix.requiresGrad()) {
      return 0;
    }
    List<DecoderLayer> layers = model.layers();
    for (int i = 0; i < layers.size(); i++) {
      if (layers.get(i).namedParameters().values().stream().anyMatch(Tensor::requiresGrad)) {
        return i;
      }
    }
    return layers.size();
  }
}
