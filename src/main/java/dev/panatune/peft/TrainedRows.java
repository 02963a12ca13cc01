package dev.panatune.peft;

import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.Tensor;

/** A layer that is another one, trained whole, for those rows of a batch that have its adapter. */
abstract sealed class TrainedRows<L extends UnaryLayer> extends Module implements AdapterLayer {
  private final Slot<L> base;
  private final UnaryLayer trained;
  private final AdapterState state;

  private TrainedRows(Class<L> kind, L layer, UnaryLayer trained, AdapterState state) {
    base = addChild("base_layer", kind, layer);
    this.trained = trained;
    this.state = state;
  }

  /**
   * Wraps a layer.
   *
   * @param trained stays the caller's
   * @param state has the rows
   */
  static TrainedRows<?> around(UnaryLayer layer, UnaryLayer trained, AdapterState state) {
    return layer instanceof LinearLayer linear
        ? new OfLinear(linear, trained, state)
        : new OfTable(layer, trained, state);
  }

  @Override
  public Tensor forward(Tensor input) {
    return state.forward(
        base.get(), input, (rows, result) -> trained.forward(rows).to(result.dtype()));
  }

  @Override
  public L base() {
    return base.get();
  }

  private static final class OfTable extends TrainedRows<UnaryLayer> {
    OfTable(UnaryLayer layer, UnaryLayer trained, AdapterState state) {
      super(UnaryLayer.class, layer, trained, state);
    }
  }

  private static final class OfLinear extends TrainedRows<LinearLayer> implements LinearLayer {
    OfLinear(LinearLayer layer, UnaryLayer trained, AdapterState state) {
      super(LinearLayer.class, layer, trained, state);
    }

    @Override
    public long inFeatures() {
      return base().inFeatures();
    }

    @Override
    public long outFeatures() {
      return base().outFeatures();
    }
  }
}
