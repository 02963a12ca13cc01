package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.bindings.pt_error;
import dev.panatune.bindings.pt_metadata;
import dev.panatune.bindings.pt_value;
import dev.panatune.error.TensorException;
import dev.panatune.natives.NativeLibraries;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * What one thread needs to call the shim: off-heap room for arguments, results and the error, made
 * once, and the thread's innermost scope.
 */
final class CallContext {
  static {
    NativeLibraries.load();
    checkVersion();
  }

  private static final ThreadLocal<CallContext> CURRENT = ThreadLocal.withInitial(CallContext::new);
  private static final int SLOTS = 64;

  private final Arena arena = Arena.ofAuto();

  /** Where a failing call leaves its message. */
  final MemorySegment error = arena.allocate(pt_error.layout());

  final MemorySegment metadata = arena.allocate(pt_metadata.layout());

  /** One handle, one integer: whatever a call gives back alone. */
  final MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);

  final MemorySegment arguments = arena.allocate(pt_value.layout(), SLOTS);

  private MemorySegment results = arena.allocate(pt_value.layout(), SLOTS);
  private MemorySegment lists = arena.allocate(8 * SLOTS, 8);

  /** The innermost open scope of this thread, or null. */
  TensorScope scope;

  private CallContext() {}

  /**
   * The calling thread's context.
   *
   * @throws TensorException on a virtual thread: it may change its carrier between two calls, and
   *     with it libtorch's thread-local state
   */
  static CallContext current() {
    if (Thread.currentThread().isVirtual()) {
      throw new TensorException(
          "tensors are for platform threads, but "
              + Thread.currentThread()
              + " is a virtual thread: libtorch keeps grad mode and autocast per OS thread. Run"
              + " this code on a platform thread (Executors.newFixedThreadPool,"
              + " Thread.ofPlatform)");
    }
    return CURRENT.get();
  }

  private static void checkVersion() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment abi = arena.allocate(ValueLayout.JAVA_INT);
      MemorySegment torch = arena.allocate(ValueLayout.ADDRESS);
      panatune_h.pt_version(abi, torch, MemorySegment.NULL);
      int found = abi.get(ValueLayout.JAVA_INT, 0);
      if (found != panatune_h.PT_ABI_VERSION()) {
        throw new TensorException(
            "the native shim speaks version "
                + found
                + " of panatune.h, these classes version "
                + panatune_h.PT_ABI_VERSION()
                + "; build both from the same sources (mvn clean package)");
      }
    }
  }

  /** Turns the status of a call into an exception if it failed. */
  void check(int status) {
    if (status != 0) {
      throw failure();
    }
  }

  private TensorException failure() {
    byte[] message =
        pt_error.message(error).asSlice(0, pt_error.length(error)).toArray(ValueLayout.JAVA_BYTE);
    return new TensorException(new String(message, StandardCharsets.UTF_8));
  }

  /** Room for {@code count} result slots. */
  MemorySegment results(int count) {
    if (results.byteSize() < count * pt_value.sizeof()) {
      results = Arena.ofAuto().allocate(pt_value.layout(), count);
    }
    return results;
  }

  /** Room for {@code bytes} bytes of list contents, aligned for longs. */
  MemorySegment lists(long bytes) {
    if (lists.byteSize() < bytes) {
      lists = Arena.ofAuto().allocate(Math.max(bytes, 2 * lists.byteSize()), 8);
    }
    return lists;
  }

  /** The tensor handle that a call left in {@link #out}; 0 for none. */
  long outHandle() {
    return out.get(ValueLayout.JAVA_LONG, 0);
  }
}
