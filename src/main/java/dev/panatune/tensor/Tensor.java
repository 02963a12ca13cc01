package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.bindings.pt_metadata;
import dev.panatune.error.TensorException;
import dev.panatune.natives.NativeLibraries;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/**
 * A tensor of libtorch. Its memory is off the Java heap and is shared, not copied, with {@link
 * MemorySegment}s.
 *
 * <p>Lifetime: a tensor belongs to the {@link TensorScope} that was innermost when it was made and
 * goes with it, unless it is {@linkplain #keep() kept} or moved out; one made outside of any scope
 * belongs to the caller, who closes it. Using it afterwards throws {@link TensorException}.
 *
 * <p>Threads: platform threads only. A tensor may be handed to another thread; two threads must not
 * use one tensor at a time if either of them writes, closes or moves it.
 *
 * <p>Operations are in {@link TensorOperations}, under PyTorch's names; any other operator is
 * reached through {@link Op}.
 */
public final class Tensor extends TensorOperations implements AutoCloseable {
  /** A leaf call that never blocks, so it may skip the thread-state transition. */
  private static final MethodHandle READ_METADATA = metadataReader();

  private static final long DTYPE = offset("dtype");
  private static final long DIMS = offset("dims");
  private static final long NUMEL = offset("numel");
  private static final long DATA = offset("data");
  private static final long FLAGS = offset("flags");
  private static final long STRIDES = offset("strides");
  private static final long DEVICE_TYPE = offset("device_type");
  private static final long DEVICE_INDEX = offset("device_index");

  private long handle;
  private TensorScope scope;
  private int slot;
  private Arena segmentArena;

  /** Takes over a handle; the tensor joins the innermost scope. */
  Tensor(long handle, CallContext context) {
    this.handle = handle;
    if (context.scope != null) {
      context.scope.add(this);
    }
  }

  private static MethodHandle metadataReader() {
    // A tensor may be the first thing that a program makes: nothing is loaded then.
    NativeLibraries.load();
    return Linker.nativeLinker()
        .downcallHandle(
            panatune_h.pt_tensor_metadata$address(),
            panatune_h.pt_tensor_metadata$descriptor(),
            Linker.Option.critical(false));
  }

  private static long offset(String field) {
    return pt_metadata.layout().byteOffset(PathElement.groupElement(field));
  }

  // --- creation ---

  /**
   * A contiguous tensor over off-heap memory of the caller, without a copy: both see each other's
   * writes.
   *
   * @param memory native memory of the global or an automatic arena; that of an arena which can be
   *     closed under the tensor is refused
   * @throws TensorException if the memory cannot be shared, is too small or misaligned
   */
  public static Tensor of(MemorySegment memory, DType dtype, long... shape) {
    return BorrowedMemory.tensor(memory, dtype, shape);
  }

  /** A tensor with a copy of the memory's contents; for memory of any arena and for heap arrays. */
  public static Tensor copyOf(MemorySegment memory, DType dtype, long... shape) {
    Tensor tensor = empty(dtype, shape);
    if (memory.byteSize() != tensor.byteSize()) {
      tensor.close();
      throw new TensorException(
          "copyOf: shape "
              + Arrays.toString(shape)
              + " of "
              + dtype
              + " does not fit "
              + memory.byteSize()
              + " bytes");
    }
    tensor.memory().copyFrom(memory);
    return tensor;
  }

  /** A float32 tensor with a copy of the values. */
  public static Tensor ofFloats(float[] values, long... shape) {
    return copyOf(MemorySegment.ofArray(values), DType.FLOAT32, shape);
  }

  /** An int64 tensor with a copy of the values. */
  public static Tensor ofLongs(long[] values, long... shape) {
    return copyOf(MemorySegment.ofArray(values), DType.INT64, shape);
  }

  /** An int32 tensor with a copy of the values. */
  public static Tensor ofInts(int[] values, long... shape) {
    return copyOf(MemorySegment.ofArray(values), DType.INT32, shape);
  }

  /** A uint8 tensor with a copy of the values. */
  public static Tensor ofBytes(byte[] values, long... shape) {
    return copyOf(MemorySegment.ofArray(values), DType.UINT8, shape);
  }

  /** A tensor without dimensions. */
  public static Tensor scalar(double value, DType dtype) {
    return full(value, dtype);
  }

  /** A tensor whose contents are whatever the memory held. */
  public static Tensor empty(DType dtype, long... shape) {
    return Aten.EMPTY.call(shape, dtype);
  }

  public static Tensor zeros(DType dtype, long... shape) {
    return Aten.ZEROS.call(shape, dtype);
  }

  public static Tensor ones(DType dtype, long... shape) {
    return Aten.ONES.call(shape, dtype);
  }

  public static Tensor full(double value, DType dtype, long... shape) {
    return Aten.FULL.call(shape, value, dtype);
  }

  /** The integers from {@code start} to {@code end}, without {@code end}. */
  public static Tensor arange(long start, long end, DType dtype) {
    return Aten.ARANGE.call(start, end, dtype);
  }

  /** Normally distributed values from the default generator. */
  public static Tensor randn(DType dtype, long... shape) {
    return Aten.RANDN.call(shape, dtype);
  }

  /** Values uniform in [0, 1) from the default generator. */
  public static Tensor rand(DType dtype, long... shape) {
    return Aten.RAND.call(shape, dtype);
  }

  // --- metadata: one call into the shim each, nothing is cached ---

  public DType dtype() {
    return DType.ofScalarType(metadata().get(ValueLayout.JAVA_INT, DTYPE));
  }

  public Device device() {
    MemorySegment metadata = metadata();
    return Device.of(
        metadata.get(ValueLayout.JAVA_INT, DEVICE_TYPE),
        metadata.get(ValueLayout.JAVA_INT, DEVICE_INDEX));
  }

  public long[] shape() {
    return longs(metadata(), 0);
  }

  /** Distances between neighbours along each dimension, in elements. */
  public long[] strides() {
    return longs(metadata(), STRIDES);
  }

  /**
   * The extent of one dimension.
   *
   * @param dim from 0, or negative from the end
   */
  public long size(int dim) {
    MemorySegment metadata = metadata();
    int rank = metadata.get(ValueLayout.JAVA_INT, DIMS);
    int index = dim < 0 ? dim + rank : dim;
    if (index < 0 || index >= rank) {
      throw new TensorException("size: no dimension " + dim + " in a tensor of rank " + rank);
    }
    return metadata.get(ValueLayout.JAVA_LONG, 8L * index);
  }

  /** The number of dimensions. */
  public int rank() {
    return metadata().get(ValueLayout.JAVA_INT, DIMS);
  }

  /** The number of elements. */
  public long numel() {
    return metadata().get(ValueLayout.JAVA_LONG, NUMEL);
  }

  /** Bytes of all elements. */
  public long byteSize() {
    MemorySegment metadata = metadata();
    return metadata.get(ValueLayout.JAVA_LONG, NUMEL)
        * DType.ofScalarType(metadata.get(ValueLayout.JAVA_INT, DTYPE)).byteSize();
  }

  public boolean isContiguous() {
    return hasFlag(panatune_h.PT_FLAG_CONTIGUOUS());
  }

  public boolean requiresGrad() {
    return hasFlag(panatune_h.PT_FLAG_REQUIRES_GRAD());
  }

  /** True where no recorded operation made this tensor. */
  public boolean isLeaf() {
    return hasFlag(panatune_h.PT_FLAG_LEAF());
  }

  /** The address of the first element; 0 off the CPU. */
  public long address() {
    return metadata().get(ValueLayout.JAVA_LONG, DATA);
  }

  // --- contents ---

  /**
   * The tensor's own memory, without a copy. It ends with the tensor's scope (or, for one that has
   * none, with the tensor) and until then keeps the memory alive.
   *
   * @throws TensorException if the tensor is not on the CPU or not contiguous
   */
  public MemorySegment segment() {
    if (device().kind() != Device.Kind.CPU || !isContiguous()) {
      throw new TensorException(
          "segment: " + this + " must be contiguous and on the CPU; use contiguous() or to(CPU)");
    }
    if (scope == null) {
      if (segmentArena == null) {
        segmentArena = Arena.ofShared();
      }
      return memory().reinterpret(segmentArena, null);
    }
    // A second handle of the scope, so that closing this tensor early does not free the memory.
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_tensor_share(pointer(), context.out, context.error));
    scope.add(new Tensor(context.outHandle()));
    return memory().reinterpret(scope.arena(), null);
  }

  /** The value of a tensor of one element. */
  public double item() {
    float[] single = new float[1];
    if (dtype() == DType.FLOAT32 && numel() == 1 && device().kind() == Device.Kind.CPU) {
      MemorySegment.copy(memory(), ValueLayout.JAVA_FLOAT, 0, single, 0, 1);
      return single[0];
    }
    try (TensorScope _ = TensorScope.open()) {
      return single(to(DType.FLOAT64)).get(ValueLayout.JAVA_DOUBLE, 0);
    }
  }

  /** The value of an integer tensor of one element. */
  public long itemLong() {
    try (TensorScope _ = TensorScope.open()) {
      return single(to(DType.INT64)).get(ValueLayout.JAVA_LONG, 0);
    }
  }

  /** A copy of all elements in row-major order, converted to float. */
  public float[] toFloats() {
    try (TensorScope _ = TensorScope.open()) {
      return hostCopy(DType.FLOAT32).toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  /** A copy of all elements in row-major order, converted to long. */
  public long[] toLongs() {
    try (TensorScope _ = TensorScope.open()) {
      return hostCopy(DType.INT64).toArray(ValueLayout.JAVA_LONG);
    }
  }

  /** A copy of all elements in row-major order, converted to int. */
  public int[] toInts() {
    try (TensorScope _ = TensorScope.open()) {
      return hostCopy(DType.INT32).toArray(ValueLayout.JAVA_INT);
    }
  }

  /** A copy of the tensor's bytes in row-major order, whatever its type. */
  public byte[] toBytes() {
    try (TensorScope _ = TensorScope.open()) {
      return hostCopy(dtype()).toArray(ValueLayout.JAVA_BYTE);
    }
  }

  // --- gradients ---

  /** Says whether gradients are to be computed for this leaf; returns it. */
  public Tensor requiresGrad(boolean required) {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_requires_grad_set(pointer(), required ? 1 : 0, context.error));
    return this;
  }

  /** The accumulated gradient as a handle in the innermost scope, or null. */
  public Tensor grad() {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_grad_get(pointer(), context.out, context.error));
    long found = context.outHandle();
    return found == 0 ? null : new Tensor(found, context);
  }

  /** Replaces the accumulated gradient; null removes it. */
  public void setGrad(Tensor gradient) {
    CallContext context = CallContext.current();
    MemorySegment pointer = gradient == null ? MemorySegment.NULL : gradient.pointer();
    context.check(panatune_h.pt_grad_set(pointer(), pointer, context.error));
  }

  // --- lifetime ---

  /** Takes the tensor out of its scope: the caller closes it. Returns it. */
  public Tensor keep() {
    handle();
    if (scope != null) {
      scope.remove(this);
    }
    return this;
  }

  /** Hands the tensor to the scope around its own; returns it. */
  public Tensor moveToOuter() {
    handle();
    return scope == null ? this : scope.moveToOuter(this);
  }

  /** Frees the tensor now. Closing twice is fine. */
  @Override
  public void close() {
    if (handle == 0) {
      return;
    }
    CallContext context = CallContext.current();
    if (scope != null) {
      scope.remove(this);
    }
    if (segmentArena != null) {
      segmentArena.close();
    }
    context.out.set(ValueLayout.JAVA_LONG, 0, invalidate());
    context.check(panatune_h.pt_tensors_free(context.out, 1, context.error));
  }

  public boolean isClosed() {
    return handle == 0;
  }

  @Override
  public String toString() {
    return handle == 0
        ? "Tensor(closed)"
        : "Tensor(" + dtype() + ", shape " + Arrays.toString(shape()) + ")";
  }

  // --- within the package ---

  /** A second handle, in no scope yet. */
  private Tensor(long handle) {
    this.handle = handle;
  }

  /** The native handle, for a call. */
  long handle() {
    if (handle == 0) {
      throw new TensorException(
          "a tensor was used after it was closed, or after its scope was; keep() it or"
              + " moveToOuter() what must live longer");
    }
    return handle;
  }

  MemorySegment pointer() {
    return MemorySegment.ofAddress(handle());
  }

  /** Forgets the handle and returns it. */
  long invalidate() {
    long old = handle;
    handle = 0;
    scope = null;
    return old;
  }

  void belongsTo(TensorScope scope, int slot) {
    this.scope = scope;
    this.slot = slot;
  }

  TensorScope scope() {
    return scope;
  }

  int slot() {
    return slot;
  }

  @Override
  Tensor self() {
    return this;
  }

  /** All bytes of a contiguous tensor on the CPU, without a guard on their lifetime. */
  private MemorySegment memory() {
    MemorySegment metadata = metadata();
    long bytes =
        metadata.get(ValueLayout.JAVA_LONG, NUMEL)
            * DType.ofScalarType(metadata.get(ValueLayout.JAVA_INT, DTYPE)).byteSize();
    return MemorySegment.ofAddress(metadata.get(ValueLayout.JAVA_LONG, DATA)).reinterpret(bytes);
  }

  private MemorySegment hostCopy(DType dtype) {
    return to(dtype).to(Device.CPU).contiguous().memory();
  }

  private MemorySegment single(Tensor converted) {
    if (converted.numel() != 1) {
      throw new TensorException("item: " + this + " does not have one element");
    }
    return converted.hostCopy(converted.dtype());
  }

  private boolean hasFlag(int flag) {
    return (metadata().get(ValueLayout.JAVA_INT, FLAGS) & flag) != 0;
  }

  private MemorySegment metadata() {
    CallContext context = CallContext.current();
    try {
      context.check((int) READ_METADATA.invokeExact(pointer(), context.metadata, context.error));
    } catch (Error | RuntimeException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
    return context.metadata;
  }

  private static long[] longs(MemorySegment metadata, long offset) {
    long[] values = new long[metadata.get(ValueLayout.JAVA_INT, DIMS)];
    MemorySegment.copy(metadata, ValueLayout.JAVA_LONG, offset, values, 0, values.length);
    return values;
  }
}
