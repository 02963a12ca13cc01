package dev.panatune.peft;

import dev.panatune.nn.UnaryLayer;

/** A layer with an adapter around it: a module whose child {@code base_layer} is what it adapts. */
interface AdapterLayer extends UnaryLayer, AutoCloseable {
  /** The layer that is adapted; it may be adapted itself. */
  UnaryLayer base();

  /** Frees the adapter's own tensors. */
  @Override
  void close();
}
