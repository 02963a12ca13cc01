package dev.panatune.peft;

import dev.panatune.tensor.Tensor;

/**
 * The two factors of an update, float32, taken over by the layer that is made of them.
 *
 * @param a [r, in]
 * @param b [out, r]
 */
record LowRank(Tensor a, Tensor b) {}
