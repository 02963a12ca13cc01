package dev.panatune.peft;

import dev.panatune.nn.Module;
import dev.panatune.nn.ResidualJoin;
import dev.panatune.tensor.Tensor;

/** Where adapter layers sit in a model, under the names that `adapters` gives the place. */
final class BottleneckPlace extends Module implements ResidualJoin {
  private final Bottleneck adapter;

  BottleneckPlace(String name, Bottleneck adapter) {
    this.adapter = adapter;
    addChild("adapters", Named.class, new Named(name, adapter));
  }

  /** The adapters of the place by name. */
  private static final class Named extends Module {
    Named(String name, Bottleneck adapter) {
      addChild(name, Bottleneck.class, adapter);
    }
  }

  @Override
  public Tensor join(Tensor output, Tensor residual) {
    return adapter.join(output, residual);
  }
}
