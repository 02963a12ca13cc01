package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.error.TensorException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Frees every tensor that was created while it was the innermost scope of its thread and was not
 * moved out. Used with try-with-resources; scopes nest.
 *
 * <p>Threads: a scope belongs to the platform thread that opened it. Its tensors may be read from
 * other threads, one at a time, but only the owner closes, keeps or moves them.
 */
public final class TensorScope implements AutoCloseable {
  private static final int FREE_BATCH = 512;

  private final Thread owner = Thread.currentThread();
  private final TensorScope outer;
  private Tensor[] tensors = new Tensor[16];
  private int size;
  private Arena arena;
  private boolean closed;

  private TensorScope(TensorScope outer) {
    this.outer = outer;
  }

  /**
   * Opens a scope inside the innermost one of this thread.
   *
   * @throws TensorException on a virtual thread
   */
  public static TensorScope open() {
    CallContext context = CallContext.current();
    context.scope = new TensorScope(context.scope);
    return context.scope;
  }

  /** Tensors given out by the native side and not yet freed, over all threads. */
  public static long liveTensors() {
    return NativeMemory.read().liveHandles();
  }

  /** How many tensors this scope would free now. */
  public int size() {
    return size;
  }

  /** Hands a tensor of this scope to the enclosing one; without one, to the caller. */
  public Tensor moveToOuter(Tensor tensor) {
    if (tensor.scope() != this) {
      throw new TensorException(
          "moveToOuter: the tensor " + tensor + " does not belong to this scope");
    }
    remove(tensor);
    if (outer != null) {
      outer.add(tensor);
    }
    return tensor;
  }

  /**
   * Frees the scope's tensors. Closing twice is fine.
   *
   * @throws TensorException on another thread, or while an inner scope is open
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    checkOwner();
    CallContext context = CallContext.current();
    if (context.scope != this) {
      throw new TensorException("a scope was closed while one inside of it is still open");
    }
    closed = true;
    context.scope = outer;
    if (arena != null) {
      arena.close();
    }
    free(context);
  }

  private void free(CallContext context) {
    for (int start = 0; start < size; start += FREE_BATCH) {
      int count = Math.min(FREE_BATCH, size - start);
      MemorySegment handles = context.lists(8L * FREE_BATCH);
      for (int i = 0; i < count; i++) {
        handles.setAtIndex(ValueLayout.JAVA_LONG, i, tensors[start + i].invalidate());
      }
      context.check(panatune_h.pt_tensors_free(handles, count, context.error));
    }
    tensors = null;
    size = 0;
  }

  void add(Tensor tensor) {
    if (size == tensors.length) {
      tensors = Arrays.copyOf(tensors, 2 * size);
    }
    tensors[size] = tensor;
    tensor.belongsTo(this, size++);
  }

  void remove(Tensor tensor) {
    checkOwner();
    Tensor last = tensors[--size];
    tensors[size] = null;
    if (last != tensor) {
      tensors[tensor.slot()] = last;
      last.belongsTo(this, tensor.slot());
    }
    tensor.belongsTo(null, 0);
  }

  /** The arena whose segments end with this scope. */
  Arena arena() {
    checkOwner();
    if (arena == null) {
      arena = Arena.ofConfined();
    }
    return arena;
  }

  private void checkOwner() {
    if (Thread.currentThread() != owner) {
      throw new TensorException(
          "a scope of "
              + owner
              + " was used from "
              + Thread.currentThread()
              + "; keep() the tensor on its own thread before handing it over");
    }
  }
}
