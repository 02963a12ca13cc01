package dev.panatune.peft;

import dev.panatune.nn.LinearLayer;

/** A linear layer with an adapter around it that can become part of the layer's weight. */
interface AdaptedLinear extends LinearLayer, MergeableLayer {
  @Override
  LinearLayer base();
}
