package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reverse-mode differentiation of what was recorded. */
public final class Autograd {
  private Autograd() {}

  /** Adds the gradients of a scalar to the leaves that it depends on; the graph is freed. */
  public static void backward(Tensor loss) {
    backward(loss, null);
  }

  /**
   * Adds the gradients of {@code output}, weighted by {@code gradient}, to the leaves.
   *
   * @param gradient of the output's shape; null for a scalar output
   */
  public static void backward(Tensor output, Tensor gradient) {
    CallContext context = CallContext.current();
    try (Arena arena = Arena.ofConfined()) {
      context.check(
          panatune_h.pt_backward(
              handles(arena, new Tensor[] {output}),
              handles(arena, new Tensor[] {gradient}),
              1,
              0,
              context.error));
    }
  }

  /**
   * The gradients of the outputs with respect to the inputs, without touching any leaf's grad.
   *
   * @param gradients of the outputs' shapes; an entry may be null for a scalar output
   * @return one tensor an input; null where the outputs do not depend on it
   */
  public static Tensor[] grad(Tensor[] outputs, Tensor[] gradients, Tensor[] inputs) {
    CallContext context = CallContext.current();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment results = arena.allocate(ValueLayout.JAVA_LONG, inputs.length);
      context.check(
          panatune_h.pt_grad(
              handles(arena, outputs),
              handles(arena, gradients),
              outputs.length,
              handles(arena, inputs),
              inputs.length,
              0,
              1,
              results,
              context.error));
      Tensor[] tensors = new Tensor[inputs.length];
      for (int i = 0; i < tensors.length; i++) {
        long handle = results.getAtIndex(ValueLayout.JAVA_LONG, i);
        tensors[i] = handle == 0 ? null : new Tensor(handle, context);
      }
      return tensors;
    }
  }

  private static MemorySegment handles(Arena arena, Tensor[] tensors) {
    MemorySegment handles = arena.allocate(ValueLayout.JAVA_LONG, Math.max(1, tensors.length));
    for (int i = 0; i < tensors.length; i++) {
      handles.setAtIndex(ValueLayout.JAVA_LONG, i, tensors[i] == null ? 0 : tensors[i].handle());
    }
    return handles;
  }
}
