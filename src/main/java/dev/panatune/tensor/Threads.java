package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.error.TensorException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** How many threads one operation uses. */
public final class Threads {
  private static final long DESCRIPTION_BYTES = 16 * 1024;

  private Threads() {}

  /**
   * Sets the threads of one operation, for the whole process.
   *
   * @throws TensorException if the number is below 1
   */
  public static void setIntraOp(int threads) {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_threads_set(threads, context.error));
  }

  public static int intraOp() {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_threads_get(context.out, context.error));
    return context.out.get(ValueLayout.JAVA_INT, 0);
  }

  /** How many threads took part in a parallel loop that was run just now. */
  public static int observed() {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_threads_observed(context.out, context.error));
    return context.out.get(ValueLayout.JAVA_INT, 0);
  }

  /** libtorch's own words on its build, the CPU's capability and its threads. */
  public static String describe() {
    CallContext context = CallContext.current();
    MemorySegment text = context.lists(DESCRIPTION_BYTES);
    context.check(panatune_h.pt_describe(text, DESCRIPTION_BYTES, context.error));
    return text.getString(0);
  }
}
