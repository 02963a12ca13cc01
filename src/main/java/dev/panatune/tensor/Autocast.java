package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.bindings.pt_autocast;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * libtorch's autocast for one sort of device on this thread: matrix products run in the given type,
 * reductions in float32. Restored on close; closed by the thread that opened it.
 */
public final class Autocast implements AutoCloseable {
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment previous = arena.allocate(pt_autocast.layout());
  private boolean closed;

  private Autocast(Device.Kind kind, boolean enabled, DType dtype) {
    CallContext context = CallContext.current();
    MemorySegment wanted = arena.allocate(pt_autocast.layout());
    pt_autocast.device_type(wanted, kind.deviceType());
    pt_autocast.enabled(wanted, enabled ? 1 : 0);
    pt_autocast.dtype(wanted, dtype.scalarType());
    pt_autocast.cache(wanted, 1);
    context.check(panatune_h.pt_autocast_enter(wanted, previous, context.error));
  }

  /**
   * Computes in {@code dtype} until closed.
   *
   * @param dtype bfloat16 or float16
   */
  public static Autocast enable(Device.Kind kind, DType dtype) {
    return new Autocast(kind, true, dtype);
  }

  /** Computes in the tensors' own types until closed. */
  public static Autocast disable(Device.Kind kind) {
    return new Autocast(kind, false, DType.BFLOAT16);
  }

  /** Whether operations of this thread on such devices choose their own type now. */
  public static boolean isEnabled(Device.Kind kind) {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_autocast_get(kind.deviceType(), context.out, context.error));
    return context.out.get(ValueLayout.JAVA_INT, 0) != 0;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      CallContext context = CallContext.current();
      context.check(panatune_h.pt_autocast_exit(previous, context.error));
      arena.close();
    }
  }
}
