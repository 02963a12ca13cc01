package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/** {@code down(activation(up(x)))}, from [..., hidden] to [..., hidden]. */
public final class Mlp extends Module implements UnaryLayer {
  private final Slot<LinearLayer> up;
  private final Slot<LinearLayer> down;
  private final Activation activation;

  /** Creates it over two layers, each under its name, of which it becomes the parent. */
  public Mlp(NamedLayer up, NamedLayer down, Activation activation) {
    this.up = addChild(up.name(), LinearLayer.class, up.layer());
    this.down = addChild(down.name(), LinearLayer.class, down.layer());
    this.activation = activation;
  }

  @Override
  public Tensor forward(Tensor input) {
    return down.get().forward(activation.apply(up.get().forward(input)));
  }
}
