package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/**
 * {@code down(activation(gate) * up)}, where one layer computes gate and up as the halves of its
 * output; from [..., hidden] to [..., hidden].
 */
public final class JoinedGatedMlp extends Module implements UnaryLayer {
  private final Slot<LinearLayer> gateAndUp;
  private final Slot<LinearLayer> down;
  private final Activation activation;

  /** Creates it over two layers of which it becomes the parent. */
  public JoinedGatedMlp(LinearLayer gateAndUp, LinearLayer down, Activation activation) {
    this.gateAndUp = addChild("gate_up_proj", LinearLayer.class, gateAndUp);
    this.down = addChild("down_proj", LinearLayer.class, down);
    this.activation = activation;
  }

  @Override
  public Tensor forward(Tensor input) {
    Tensor[] halves = gateAndUp.get().forward(input).chunk(2, -1);
    return down.get().forward(activation.gate(halves[0], halves[1]));
  }
}
