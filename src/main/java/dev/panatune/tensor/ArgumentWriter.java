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
    boolean tensorsAlone = true;
    for (int i = 0; i < arguments.length; i++) {
      // Apart from the others: most arguments are tensors, and a call of tensors alone ends here.
      if (arguments[i] instanceof Tensor tensor) {
        put(context.arguments, i * SLOT, panatune_h.PT_TENSOR(), tensor.handle());
      } else {
        tensorsAlone = false;
      }
    }
    if (!tensorsAlone) {
      writeOthers(context, arguments);
    }
  }

  private static void writeOthers(CallContext context, Object[] arguments) {
    MemorySegment lists = context.lists(listBytes(arguments));
    long listOffset = 0;
    for (int i = 0; i < arguments.length; i++) {
      if (!(arguments[i] instanceof Tensor)) {
        listOffset += writeOther(context.arguments, i * SLOT, arguments[i], lists, listOffset);
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

  /** Writes an argument and returns how many bytes of the lists it took. */
  private static long writeOther(
      MemorySegment slots, long slot, Object argument, MemorySegment lists, long offset) {
    return switch (argument) {
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
      case long[] list -> {
        MemorySegment.copy(list, 0, lists, ValueLayout.JAVA_LONG, offset, list.length);
        refer(slots, slot, panatune_h.PT_INT_LIST(), list.length, lists.address() + offset);
        yield 8L * list.length;
      }
      case double[] list -> {
        MemorySegment.copy(list, 0, lists, ValueLayout.JAVA_DOUBLE, offset, list.length);
        refer(slots, slot, panatune_h.PT_DOUBLE_LIST(), list.length, lists.address() + offset);
        yield 8L * list.length;
      }
      case boolean[] list -> {
        for (int i = 0; i < list.length; i++) {
          lists.set(ValueLayout.JAVA_BYTE, offset + i, (byte) (list[i] ? 1 : 0));
        }
        refer(slots, slot, panatune_h.PT_BOOL_LIST(), list.length, lists.address() + offset);
        yield aligned(list.length);
      }
      case Tensor[] list -> {
        for (int i = 0; i < list.length; i++) {
          long handle = list[i] == null ? 0 : list[i].handle();
          lists.set(ValueLayout.JAVA_LONG, offset + 8L * i, handle);
        }
        refer(slots, slot, panatune_h.PT_TENSOR_LIST(), list.length, lists.address() + offset);
        yield 8L * list.length;
      }
      case String text -> {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        MemorySegment.copy(bytes, 0, lists, ValueLayout.JAVA_BYTE, offset, bytes.length);
        refer(slots, slot, panatune_h.PT_STRING(), bytes.length, lists.address() + offset);
        yield aligned(bytes.length);
      }
      default ->
          throw new TensorException(
              "an operator takes no argument of type " + argument.getClass().getName());
    };
  }

  /** Writes a value that needs no room beside its slot, and says so: 0 bytes. */
  private static long put(MemorySegment slots, long slot, int tag, long value) {
    slots.set(ValueLayout.JAVA_INT, slot, tag);
    slots.set(ValueLayout.JAVA_LONG, slot + VALUE, value);
    return 0;
  }

  private static void refer(MemorySegment slots, long slot, int tag, int length, long address) {
    slots.set(ValueLayout.JAVA_INT, slot, tag);
    slots.set(ValueLayout.JAVA_INT, slot + LENGTH, length);
    slots.set(ValueLayout.JAVA_LONG, slot + VALUE, address);
  }

  private static long aligned(long bytes) {
    return (bytes + 7) & ~7L;
  }
}
