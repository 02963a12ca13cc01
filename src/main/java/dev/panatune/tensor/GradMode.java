package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import java.lang.foreign.ValueLayout;

/** Whether operations of this thread are recorded for gradients; restored on close. */
public final class GradMode implements AutoCloseable {
  private final boolean previous;

  private GradMode(boolean previous) {
    this.previous = previous;
  }

  /** Records nothing until closed. */
  public static GradMode disable() {
    return new GradMode(set(false));
  }

  /** Records until closed, also inside of a block that does not. */
  public static GradMode enable() {
    return new GradMode(set(true));
  }

  public static boolean isEnabled() {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_grad_mode_get(context.out, context.error));
    return context.out.get(ValueLayout.JAVA_INT, 0) != 0;
  }

  @Override
  public void close() {
    set(previous);
  }

  private static boolean set(boolean enabled) {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_grad_mode_set(enabled ? 1 : 0, context.out, context.error));
    return context.out.get(ValueLayout.JAVA_INT, 0) != 0;
  }
}
