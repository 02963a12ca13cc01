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
import java.util.ArrayList;
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

  @Override
  public MicroBatchLoss run(Batch batch, double factor) {
    try (TensorScope _ = TensorScope.open()) {
      Positions positions = model.positions(0, batch.ids().size(1));
      // The embedding keeps nothing but the ids, so there is nothing to gain from running it twice.
      Tensor embedded = computation.forward(() -> model.enter(model.embed(batch.ids()), positions));
      int lowest = embedded.requiresGrad() ? -1 : lowestTrained();
      List<Kept> kept = new ArrayList<>();
      Tensor hidden = forward(embedded, positions, kept);
      Tensor top = leaf(hidden, lowest < kept.size());
      LossSums sums =
          computation.forward(
              () -> model.loss(model.finalNorm(top), batch.targetRows(), batch.targets()));
      double loss = sums.loss().item();
      if (Double.isFinite(loss)) {
        backward(sums.loss(), factor, top, embedded, positions, kept, lowest);
      }
      return new MicroBatchLoss(loss, sums.correct().itemLong());
    }
  }

  private Tensor forward(Tensor embedded, Positions positions, List<Kept> kept) {
    try (GradMode _ = GradMode.disable()) {
      Tensor hidden = embedded;
      for (int i = 0; i < model.config().layerCount(); i++) {
        kept.add(new Kept(hidden, Rng.state()));
        hidden = layer(i, hidden, positions);
      }
      return hidden;
    }
  }

  private void backward(
      Tensor loss,
      double factor,
      Tensor top,
      Tensor embedded,
      Positions positions,
      List<Kept> kept,
      int lowest) {
    TiedGradient tied = TiedGradient.setAside(model);
    Autograd.backward(loss, Tensor.scalar(factor, DType.FLOAT32));
    Tensor gradient = top.grad();
    byte[] afterForward = Rng.state();
    for (int i = kept.size() - 1; i >= Math.max(lowest, 0); i--) {
      Tensor below = backward(i, kept.get(i), positions, gradient, lowest < i);
      gradient.close();
      gradient = below;
    }
    Rng.restore(afterForward);
    if (embedded.requiresGrad()) {
      Autograd.backward(embedded, gradient);
    }
    tied.putBack();
  }

  /** Returns the gradient of the layer's input; null if it needs none. */
  private Tensor backward(
      int index, Kept kept, Positions positions, Tensor gradient, boolean trainedBelow) {
    try (TensorScope scope = TensorScope.open()) {
      Rng.restore(kept.random);
      Tensor input = leaf(kept.input, trainedBelow);
      Autograd.backward(layer(index, input, positions), gradient);
      Tensor below = input.grad();
      return below == null ? null : scope.moveToOuter(below);
    }
  }

  private Tensor layer(int index, Tensor input, Positions positions) {
    return computation.forward(() -> model.layer(index, input, positions));
  }

  private static Tensor leaf(Tensor value, boolean requiresGrad) {
    return value.detach().requiresGrad(requiresGrad);
  }

  /** The first layer that has a parameter to train; the number of layers if none has. */
  private int lowestTrained() {
    List<DecoderLayer> layers = model.layers();
    for (int i = 0; i < layers.size(); i++) {
      if (layers.get(i).namedParameters().values().stream().anyMatch(Tensor::requiresGrad)) {
        return i;
      }
    }
    return layers.size();
  }
}
