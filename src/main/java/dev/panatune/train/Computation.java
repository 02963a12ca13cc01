package dev.panatune.train;

import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.Device;
import java.util.function.Supplier;

/**
 * Where and in which type a forward pass computes. The backward pass runs outside of it: every
 * operation goes back in the type that it went forth in.
 *
 * @param device the sort of device that the model is on
 * @param precision the type to compute in
 */
record Computation(Device.Kind device, Precision precision) {
  <T> T forward(Supplier<T> work) {
    if (precision.autocast().isEmpty()) {
      return work.get();
    }
    try (Autocast _ = Autocast.enable(device, precision.autocast().get())) {
      return work.get();
    }
  }
}
