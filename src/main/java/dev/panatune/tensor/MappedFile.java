package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.error.TensorException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/**
 * A file whose bytes are used in place as tensors. Writing to such a tensor changes a private copy
 * of the page, never the file. The mapping lives until its last tensor is gone; closing this object
 * earlier is fine.
 */
public final class MappedFile implements AutoCloseable {
  private final Path path;
  private final long size;
  private MemorySegment handle;

  private MappedFile(Path path, MemorySegment handle, long size) {
    this.path = path;
    this.handle = handle;
    this.size = size;
  }

  /**
   * Maps a file.
   *
   * @throws TensorException if it cannot be opened or mapped
   */
  public static MappedFile open(Path path) {
    CallContext context = CallContext.current();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment handle = arena.allocate(ValueLayout.ADDRESS);
      context.check(
          panatune_h.pt_mapping_open(
              arena.allocateFrom(path.toString()), handle, context.out, context.error));
      return new MappedFile(path, handle.get(ValueLayout.ADDRESS, 0), context.outHandle());
    }
  }

  /** The file's length in bytes when it was mapped. */
  public long size() {
    return size;
  }

  /**
   * A tensor over the file's bytes; a copy where the offset is not a multiple of the element size.
   *
   * @param offset in bytes from the start of the file
   * @throws TensorException if it does not lie inside the file
   */
  public Tensor tensor(long offset, DType dtype, long... shape) {
    CallContext context = CallContext.current();
    MemorySegment sizes = context.lists(8L * shape.length);
    MemorySegment.copy(shape, 0, sizes, ValueLayout.JAVA_LONG, 0, shape.length);
    context.check(
        panatune_h.pt_mapping_tensor(
            handle(), offset, sizes, shape.length, dtype.scalarType(), context.out, context.error));
    return new Tensor(context.outHandle(), context);
  }

  /**
   * Gives the pages inside the range back to the operating system, with whatever was written to
   * them; a later read fetches them from the file again.
   */
  public void release(long offset, long length) {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_mapping_release(handle(), offset, length, context.error));
  }

  @Override
  public void close() {
    if (handle != null) {
      CallContext context = CallContext.current();
      context.check(panatune_h.pt_mapping_close(handle, context.error));
      handle = null;
    }
  }

  private MemorySegment handle() {
    if (handle == null) {
      throw new TensorException("the mapping of " + path + " is closed");
    }
    return handle;
  }
}
