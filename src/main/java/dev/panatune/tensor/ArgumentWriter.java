package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.bindings.pt_value;
import dev.panatune.error.TensorException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** Writes the arguments of an operator call into the context's slots. */
final class ArgumentWriter {
  private static final long SLOT = pt_value.sizeof();
  private static final long LENGTH = 4;
  private static final long VALUE = 8;

  private ArgumentWriter() {}

  static void write(CallContext context, Object[] arguments) {
    if (arguments.length > context.arguments.byteSize() / SLOT) {
      throw new TensorException(arguments.length + " arguments are too many for one call");
    }
    MemorySegment lists = context.lists(listBytes(arguments));
    long listOffset = 0;
    for (int i = 0; i < arguments.length; i++) {
      long slot = i * SLOT;
      long used = writeList(context.arguments, slot, arguments[i], lists, listOffset);
      if (used < 0) {
        writePlain(context.arguments, slot, arguments[i]);
      } else {
        listOffset += used;
      }
    }
  }

  private static long listBytes(Object[] arguments) {
    long bytes = 0;
    for (Object argument : arguments) {
      bytes +=
          switch (argument) {
            case long[] list -> 8L * list.length;
            case double[] list -> 8L * list.length;
            case boolean[] list -> aligned(list.length);
            case Tensor[] list -> 8L * list.length;
            // A char takes at most three bytes of UTF-8.
            case String text -> aligned(3L * text.length());
            case null, default -> 0;
          };
    }
    return bytes;
  }

  /** Writes a list and returns the bytes that it took, or -1 if the argument is none. */
  private static long writeList(
      MemorySegment slots, long slot, Object argument, MemorySegment lists, long offset) {
    int tag;
    int length;
    long used;
    switch (argument) {
      case long[] list -> {
        tag = panatune_h.PT_INT_LIST();
        length = list.length;
        used = 8L * length;
        MemorySegment.copy(list, 0, lists, ValueLayout.JAVA_LONG, offset, length);
      }
      case double[] list -> {
        tag = panatune_h.PT_DOUBLE_LIST();
        length = list.length;
        used = 8L * length;
        MemorySegment.copy(list, 0, lists, ValueLayout.JAVA_DOUBLE, offset, length);
      }
      case boolean[] list -> {
        tag = panatune_h.PT_BOOL_LIST();
        length = list.length;
        used = aligned(length);
        for (int i = 0; i < length; i++) {
          lists.set(ValueLayout.JAVA_BYTE, offset + i, (byte) (list[i] ? 1 : 0));
        }
      }
      case Tensor[] list -> {
        tag = panatune_h.PT_TENSOR_LIST();
        length = list.length;
        used = 8L * length;
        for (int i = 0; i < length; i++) {
          long handle = list[i] == null ? 0 : list[i].handle();
          lists.set(ValueLayout.JAVA_LONG, offset + 8L * i, handle);
        }
      }
      case String text -> {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        tag = panatune_h.PT_STRING();
        length = bytes.length;
        used = aligned(length);
        MemorySegment.copy(bytes, 0, lists, ValueLayout.JAVA_BYTE, offset, length);
      }
      case null, default -> {
        return -1;
      }
    }
    slots.set(ValueLayout.JAVA_INT, slot, tag);
    slots.set(ValueLayout.JAVA_INT, slot + LENGTH, length);
    slots.set(ValueLayout.JAVA_LONG, slot + VALUE, lists.address() + offset);
    return used;
  }

  private static void writePlain(MemorySegment slots, long slot, Object argument) {
    switch (argument) {
      case Tensor tensor -> put(slots, slot, panatune_h.PT_TENSOR(), tensor.handle());
      case null -> put(slots, slot, panatune_h.PT_NONE(), 0);
      case Integer number -> put(slots, slot, panatune_h.PT_INT(), number);
      case Long number -> put(slots, slot, panatune_h.PT_INT(), number);
      case Double number ->
          put(slots, slot, panatune_h.PT_DOUBLE(), Double.doubleToRawLongBits(number));
      case Float number ->
          put(slots, slot, panatune_h.PT_DOUBLE(), Double.doubleToRawLongBits(number));
      case Boolean flag -> put(slots, slot, panatune_h.PT_BOOL(), flag ? 1 : 0);
      case DType type -> put(slots, slot, panatune_h.PT_DTYPE(), type.scalarType());
      case Device device -> put(slots, slot, panatune_h.PT_DEVICE(), device.packed());
      default ->
          throw new TensorException(
              "an operator takes no argument of type " + argument.getClass().getName());
    }
  }

  private static void put(MemorySegment slots, long slot, int tag, long value) {
    slots.set(ValueLayout.JAVA_INT, slot, tag);
    slots.set(ValueLayout.JAVA_LONG, slot + VALUE, value);
  }

  private static long aligned(long bytes) {
    return (bytes + 7) & ~7L;
  }
}
