package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** {@code down(activation(gate(x)) * up(x))}, from [..., hidden] to [..., hidden]. */
public final class GatedMlp extends Module implements UnaryLayer {
  private final Slot<LinearLayer> gate;
  private final Slot<LinearLayer> up;
  private final Slot<LinearLayer> down;
  private final Activation activation;

  /** Creates it over three layers of which it becomes the parent. */
  public GatedMlp(LinearLayer gate, LinearLayer up, LinearLayer down, Activation activation) {
    this.gate = addChild("gate_proj", LinearLayer.class, gate);
    this.up = addChild("up_proj", LinearLayer.class, up);
    this.down = addChild("down_proj", LinearLayer.class, down);
    this.activation = activation;
  }

  boolean addProjections(DecodeParts parts) {
    return parts.linear(gate.get()) && parts.linear(up.get()) && parts.linear(down.get());
  }

  Activation activation() {
    return activation;
  }

  @Override
  public Tensor forward(Tensor input) {
    Tensor[] both = JointLinear.forwardAll(input, gate.get(), up.get());
    return down.get().forward(activation.gate(both[0], both[1]));
  }
}
