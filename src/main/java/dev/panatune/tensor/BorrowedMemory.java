package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.error.TensorException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Memory of Java that tensors look into. The shim counts the tensors of each piece in a cell of
 * ours; as long as the count is not zero, the segment is held here, so that an automatic arena does
 * not free it while a view is alive that Java knows nothing of.
 */
final class BorrowedMemory {
  private static final Class<?> GLOBAL = Arena.global().scope().getClass();
  private static final Class<?> AUTOMATIC = Arena.ofAuto().scope().getClass();
  private static final int LEAST_SWEEP = 64;

  private static final List<Loan> LOANS = new ArrayList<>();
  private static int nextSweep = LEAST_SWEEP;

  private BorrowedMemory() {}

  /** A segment and the number of tensors (off-heap, kept by the shim) that look into it. */
  private record Loan(MemorySegment memory, MemorySegment count) {
    boolean isOver() {
      return openTensors(count) == 0;
    }
  }

  /** A new cell in which the shim counts tensors. */
  static MemorySegment newCount() {
    return Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);
  }

  static long openTensors(MemorySegment count) {
    return (long) ValueLayout.JAVA_LONG.varHandle().getAcquire(count, 0L);
  }

  static Tensor tensor(MemorySegment memory, DType dtype, long... shape) {
    if (!memory.isNative()) {
      throw new TensorException(
          "memory of the Java heap cannot be shared with a tensor; use Tensor.copyOf");
    }
    Class<?> scope = memory.scope().getClass();
    if (scope != GLOBAL && scope != AUTOMATIC) {
      throw new TensorException(
          "memory of an arena that can be closed under the tensor cannot be shared; use"
              + " Tensor.copyOf, or memory of Arena.global(), Arena.ofAuto() or a NativeBuffer");
    }
    MemorySegment count = newCount();
    Tensor tensor = tensor(memory, count, dtype, shape);
    remember(new Loan(memory, count));
    return tensor;
  }

  /** A tensor over memory whose lifetime the caller guards with {@code count}. */
  static Tensor tensor(MemorySegment memory, MemorySegment count, DType dtype, long... shape) {
    long bytes = byteSize(dtype, shape);
    if (bytes != memory.byteSize()) {
      throw new TensorException(
          "shape "
              + Arrays.toString(shape)
              + " of "
              + dtype
              + " takes "
              + bytes
              + " bytes, but the memory has "
              + memory.byteSize());
    }
    if (memory.address() % dtype.byteSize() != 0) {
      throw new TensorException(
          "the memory is not aligned to the " + dtype.byteSize() + " bytes of " + dtype);
    }
    if (memory.isReadOnly()) {
      throw new TensorException("read-only memory cannot be shared; use Tensor.copyOf");
    }
    CallContext context = CallContext.current();
    MemorySegment sizes = context.lists(8L * shape.length);
    MemorySegment.copy(shape, 0, sizes, ValueLayout.JAVA_LONG, 0, shape.length);
    context.check(
        panatune_h.pt_tensor_from_memory(
            memory, sizes, shape.length, dtype.scalarType(), count, context.out, context.error));
    return new Tensor(context.outHandle(), context);
  }

  /** Bytes of a contiguous tensor; refuses negative extents and overflow. */
  static long byteSize(DType dtype, long... shape) {
    long bytes = dtype.byteSize();
    try {
      for (long extent : shape) {
        if (extent < 0) {
          throw new TensorException("negative extent in shape " + Arrays.toString(shape));
        }
        bytes = Math.multiplyExact(bytes, extent);
      }
    } catch (ArithmeticException e) {
      throw new TensorException("shape " + Arrays.toString(shape) + " overflows", e);
    }
    return bytes;
  }

  /** Sweeping when the list has doubled keeps the cost per loan constant. */
  private static synchronized void remember(Loan loan) {
    if (LOANS.size() >= nextSweep) {
      LOANS.removeIf(Loan::isOver);
      nextSweep = Math.max(LEAST_SWEEP, 2 * LOANS.size());
    }
    LOANS.add(loan);
  }
}
