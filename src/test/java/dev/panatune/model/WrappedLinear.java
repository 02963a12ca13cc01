package dev.panatune.model;

import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.Tensor;

/**
 * A layer around another, as an adapter's: not plainly dense, with the other's parameters in it.
 */
final class WrappedLinear extends Module implements LinearLayer {
  private final Slot<LinearLayer> base;

  WrappedLinear(LinearLayer base) {
    this.base = addChild("base_layer", LinearLayer.class, base);
  }

  @Override
  public Tensor forward(Tensor input) {
    return base.get().forward(input);
  }

  @Override
  public long inFeatures() {
    return base.get().inFeatures();
  }

  @Override
  public long outFeatures() {
    return base.get().outFeatures();
  }
}
