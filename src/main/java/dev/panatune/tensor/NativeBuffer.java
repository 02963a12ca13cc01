package dev.panatune.tensor;

import dev.panatune.error.TensorException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Off-heap memory that is freed when it is told to, and that tensors can share: closing it while a
 * tensor looks into it is refused. Any thread may use it.
 */
public final class NativeBuffer implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory;
  private final MemorySegment count = BorrowedMemory.newCount();
  private boolean closed;

  private NativeBuffer(long bytes) {
    memory = arena.allocate(bytes, ALIGNMENT);
  }

  /** Zeroed memory, aligned to 64 bytes. */
  public static NativeBuffer allocate(long bytes) {
    return new NativeBuffer(bytes);
  }

  /** The buffer's memory; ends when the buffer is closed. */
  public MemorySegment segment() {
    return memory;
  }

  /**
   * A tensor over the start of this buffer, without a copy.
   *
   * @throws TensorException if the buffer is closed or too small
   */
  public synchronized Tensor tensor(DType dtype, long... shape) {
    if (closed) {
      throw new TensorException("the buffer of " + memory.byteSize() + " bytes is closed");
    }
    long bytes = BorrowedMemory.byteSize(dtype, shape);
    if (bytes > memory.byteSize()) {
      throw new TensorException(
          "a tensor of " + bytes + " bytes does not fit a buffer of " + memory.byteSize());
    }
    return BorrowedMemory.tensor(memory.asSlice(0, bytes), count, dtype, shape);
  }

  /**
   * Frees the memory. Closing twice is fine.
   *
   * @throws TensorException while a tensor, or a view of one, looks into the buffer
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    long open = BorrowedMemory.openTensors(count);
    if (open > 0) {
      throw new TensorException(
          "a buffer of "
              + memory.byteSize()
              + " bytes cannot be closed: "
              + open
              + " tensors made from it, or views of them, are still open");
    }
    closed = true;
    arena.close();
  }
}
