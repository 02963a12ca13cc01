package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.bindings.pt_value;
import dev.panatune.error.TensorException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An operator of libtorch, or of ours, found once and called through the dispatcher.
 *
 * <p>Arguments are given in the schema's order: {@link Tensor}, {@code null}, {@link Integer} or
 * {@link Long}, {@link Double} or {@link Float}, {@link Boolean}, {@link String}, {@link DType},
 * {@link Device}, {@code long[]}, {@code double[]}, {@code boolean[]}, {@code Tensor[]}. Missing
 * trailing ones take the schema's defaults.
 */
public final class Op {
  private static final Tensor[] NO_TENSORS = {};
  private static final int LEAST_RESULTS = 64;

  private final MemorySegment handle;
  private final String name;

  private Op(MemorySegment handle, String name) {
    this.handle = handle;
    this.name = name;
  }

  /**
   * Finds an operator. Keep the result in a static field.
   *
   * @param name with its namespace, such as {@code aten::add}
   * @param overload such as {@code Tensor}, or the empty string
   * @throws TensorException if libtorch has no such operator
   */
  public static Op find(String name, String overload) {
    CallContext context = CallContext.current();
    try (Arena arena = Arena.ofConfined()) {
      context.check(
          panatune_h.pt_op_find(
              arena.allocateFrom(name), arena.allocateFrom(overload), context.out, context.error));
    }
    return new Op(
        MemorySegment.ofAddress(context.outHandle()),
        overload.isEmpty() ? name : name + "." + overload);
  }

  /**
   * Calls an operator that returns one tensor.
   *
   * @return the result, in the innermost scope
   * @throws TensorException if the arguments do not fit or the operator fails
   */
  public Tensor call(Object... arguments) {
    CallContext context = CallContext.current();
    MemorySegment results = context.results(LEAST_RESULTS);
    int count = invoke(context, results, LEAST_RESULTS, arguments);
    if (count != 1 || pt_value.tag(results) != panatune_h.PT_TENSOR()) {
      discard(context, results, count);
      throw new TensorException(name + " does not return one tensor; use callAll, callLong or run");
    }
    return new Tensor(handleAt(results, 0), context);
  }

  /** Calls an operator and returns all tensors of its result, lists flattened, null for none. */
  public Tensor[] callAll(Object... arguments) {
    CallContext context = CallContext.current();
    int capacity = Math.max(LEAST_RESULTS, 2 * listedTensors(arguments));
    MemorySegment results = context.results(capacity);
    int count = invoke(context, results, capacity, arguments);
    Tensor[] tensors = count == 0 ? NO_TENSORS : new Tensor[count];
    for (int i = 0; i < count; i++) {
      long found = handleAt(results, i);
      tensors[i] = found == 0 ? null : new Tensor(found, context);
    }
    return tensors;
  }

  /** Calls an operator that returns an integer or a boolean. */
  public long callLong(Object... arguments) {
    CallContext context = CallContext.current();
    MemorySegment results = context.results(LEAST_RESULTS);
    int count = invoke(context, results, LEAST_RESULTS, arguments);
    int tag = count == 1 ? pt_value.tag(results) : -1;
    if (tag != panatune_h.PT_INT() && tag != panatune_h.PT_BOOL()) {
      discard(context, results, count);
      throw new TensorException(name + " does not return an integer or a boolean");
    }
    return handleAt(results, 0);
  }

  /** Calls an operator for its effect, such as one in place, and drops its results. */
  public void run(Object... arguments) {
    CallContext context = CallContext.current();
    int capacity = Math.max(LEAST_RESULTS, 2 * listedTensors(arguments));
    MemorySegment results = context.results(capacity);
    discard(context, results, invoke(context, results, capacity, arguments));
  }

  @Override
  public String toString() {
    return name;
  }

  private int invoke(CallContext context, MemorySegment results, int capacity, Object[] arguments) {
    ArgumentWriter.write(context, arguments);
    context.check(
        panatune_h.pt_op_call(
            handle,
            context.arguments,
            arguments.length,
            results,
            capacity,
            context.out,
            context.error));
    return context.out.get(ValueLayout.JAVA_INT, 0);
  }

  private static void discard(CallContext context, MemorySegment results, int count) {
    for (int i = 0; i < count; i++) {
      MemorySegment slot = pt_value.asSlice(results, i);
      if (pt_value.tag(slot) == panatune_h.PT_TENSOR()) {
        MemorySegment tensor = slot.asSlice(8);
        context.check(panatune_h.pt_tensors_free(tensor, 1, context.error));
      }
    }
  }

  private static long handleAt(MemorySegment results, int index) {
    return results.get(ValueLayout.JAVA_LONG, index * pt_value.sizeof() + 8);
  }

  private static int listedTensors(Object[] arguments) {
    int count = 0;
    for (Object argument : arguments) {
      if (argument instanceof Tensor[] list) {
        count += list.length;
      }
    }
    return count;
  }
}
