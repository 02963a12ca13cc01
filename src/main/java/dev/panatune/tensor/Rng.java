package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;

/** The default CPU generator, from which dropout, sampling and initial weights are drawn. */
public final class Rng {
  private Rng() {}

  /** Seeds the generators of all devices. */
  public static void seed(long seed) {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_rng_seed(seed, context.error));
  }

  /** The CPU generator's state, as libtorch serialises it. */
  public static byte[] state() {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_rng_get_state(context.out, context.error));
    try (Tensor state = new Tensor(context.outHandle(), context)) {
      return state.toBytes();
    }
  }

  /** Goes on where {@link #state} was taken. */
  public static void restore(byte[] state) {
    CallContext context = CallContext.current();
    try (Tensor tensor = Tensor.ofBytes(state, state.length)) {
      context.check(panatune_h.pt_rng_set_state(tensor.pointer(), context.error));
    }
  }
}
