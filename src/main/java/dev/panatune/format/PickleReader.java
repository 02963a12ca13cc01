package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Reads what {@code torch.save} pickles, and no more: the instructions and the names that {@code
 * torch.load(weights_only=True)} allows for tensors and plain containers. A pickle is a program for
 * a machine with a stack; every other instruction or name is refused before anything is done.
 */
final class PickleReader {
  private static final int NEWEST_PROTOCOL = 5;

  // What things take on the heap, with the lists and tables around them; rather too much.
  private static final int SLOT_BYTES = 8;
  private static final int SCALAR_BYTES = 24;
  private static final int ENTRY_BYTES = 64;
  private static final int LIST_BYTES = 96;
  private static final int MAP_BYTES = 192;

  private final ByteBuffer pickle;
  private final Path path;
  private final String source;
  private final HeapBudget budget;
  private final Function<PickleValue.Tuple, TorchStorage> storages;
  private final Map<Long, Object> memo = new HashMap<>();
  private final List<List<Object>> marks = new ArrayList<>();
  private List<Object> stack = new ArrayList<>();

  private PickleReader(
      byte[] pickle,
      Path path,
      HeapBudget budget,
      Function<PickleValue.Tuple, TorchStorage> storages) {
    this.pickle = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
    this.path = path;
    this.source = Printable.path(path) + " (data.pkl)";
    this.budget = budget;
    this.storages = storages;
  }

  /**
   * Reads one pickle.
   *
   * @param path the file that it is in, for messages
   * @param storages finds the storage that a persistent id names
   * @return what it holds: see {@link PickleValue}
   * @throws FormatException if it is damaged or has anything that is not allowed, which is named
   */
  static Object read(
      byte[] pickle,
      Path path,
      HeapBudget budget,
      Function<PickleValue.Tuple, TorchStorage> storages) {
    return new PickleReader(pickle, path, budget, storages).read();
  }

  private Object read() {
    while (true) {
      int opcode = Byte.toUnsignedInt(take(1).get());
      if (opcode == '.') { // STOP
        return pop();
      }
      execute(opcode);
    }
  }

  private void execute(int opcode) {
    switch (opcode) {
      case 0x80 -> protocol();
      case 'c' -> push(global());
      case 'R' -> reduce();
      case 0x81 -> reduce(); // NEWOBJ: the classes that are allowed are made as they are called
      case 'b' -> build();
      case 'Q' -> push(persistent()); // BINPERSID
      case '(' -> mark();
      case 'a' -> append(pop());
      case 'e' -> { // APPENDS
        List<Object> items = popMark();
        items.forEach(this::append);
      }
      case 's' -> { // SETITEM
        Object value = pop();
        put(pop(), value);
      }
      case 'u' -> setItems();
      case 't' -> push(tuple(popMark()));
      case 0x85 -> push(tuple(popItems(1)));
      case 0x86 -> push(tuple(popItems(2)));
      case 0x87 -> push(tuple(popItems(3)));
      case ')' -> push(tuple(List.of()));
      case ']', 0x8f -> { // EMPTY_LIST, EMPTY_SET
        charge(LIST_BYTES);
        push(new ArrayList<>());
      }
      case '}' -> {
        charge(MAP_BYTES);
        push(new LinkedHashMap<>());
      }
      case 'q' -> memoize(Byte.toUnsignedLong(take(1).get()));
      case 'r' -> memoize(Integer.toUnsignedLong(take(4).getInt()));
      case 'h' -> recall(Byte.toUnsignedLong(take(1).get()));
      case 'j' -> recall(Integer.toUnsignedLong(take(4).getInt()));
      default -> push(scalar(opcode));
    }
  }

  private Object scalar(int opcode) {
    charge(SCALAR_BYTES);
    return switch (opcode) {
      case 'N' -> null;
      case 0x88 -> true;
      case 0x89 -> false;
      case 'J' -> (long) take(4).getInt();
      case 'K' -> Byte.toUnsignedLong(take(1).get());
      case 'M' -> Short.toUnsignedLong(take(2).getShort());
      case 'G' -> take(8).order(ByteOrder.BIG_ENDIAN).getDouble(); // BINFLOAT
      case 0x8a -> number(bytes(Byte.toUnsignedInt(take(1).get()))); // LONG1
      case 'X' -> text(Integer.toUnsignedLong(take(4).getInt())); // BINUNICODE
      case 'U' -> text(Byte.toUnsignedLong(take(1).get())); // SHORT_BINSTRING
      default ->
          throw bad(
              "has the instruction 0x%02x at byte %d, which torch.save does not write"
                  .formatted(opcode, pickle.position() - 1));
    };
  }

  private void protocol() {
    int version = Byte.toUnsignedInt(take(1).get());
    if (version > NEWEST_PROTOCOL) {
      throw bad("is pickled by an unknown protocol, " + version);
    }
  }

  private PickleValue global() {
    String module = line();
    String name = line();
    return PickleFunction.find(module, name)
        .orElseThrow(() ->
            bad(
                "needs the Python object "
                    + Printable.quoted(module + "." + name)
                    + ", which is not read: only tensors and plain containers of them are, and"
                    + " nothing of the file was run. Save model.state_dict() alone"));
  }

  private void reduce() {
    List<Object> arguments = pop() instanceof PickleValue.Tuple(List<Object> items) ? items : null;
    if (arguments == null || !(pop() instanceof PickleValue.Callable(PickleFunction function))) {
      throw bad("calls something that is no function, or without arguments");
    }
    charge(MAP_BYTES);
    push(function.call(new PickleArguments(function, arguments, source)));
  }

  /**
   * Attributes of a dictionary ({@code _metadata}) say nothing about weights: they are left out.
   */
  private void build() {
    Object state = pop();
    if (!(top() instanceof Map<?, ?>) || !PickleArguments.isState(state)) {
      throw bad("sets the state of an object that is no dictionary");
    }
  }

  private TorchStorage persistent() {
    if (pop() instanceof PickleValue.Tuple id) {
      return storages.apply(id);
    }
    throw bad("has a persistent id that is no storage's");
  }

  private void mark() {
    marks.add(stack);
    stack = new ArrayList<>();
    charge(LIST_BYTES);
  }

  private List<Object> popMark() {
    if (marks.isEmpty()) {
      throw bad("ends a list that it did not begin");
    }
    List<Object> items = stack;
    stack = marks.removeLast();
    return items;
  }

  private void append(Object value) {
    if (!(top() instanceof List<?>)) {
      throw bad("appends to something that is no list");
    }
    charge(SLOT_BYTES);
    asList(top()).add(value);
  }

  private void setItems() {
    List<Object> items = popMark();
    if (items.size() % 2 != 0) {
      throw bad("has a dictionary with a key without a value");
    }
    for (int i = 0; i < items.size(); i += 2) {
      put(items.get(i), items.get(i + 1));
    }
  }

  private void put(Object key, Object value) {
    if (!(top() instanceof Map<?, ?>)) {
      throw bad("sets an item of something that is no dictionary");
    }
    charge(ENTRY_BYTES);
    PickleArguments.put(asMap(top()), key, value, source);
  }

  @SuppressWarnings("unchecked")
  private static List<Object> asList(Object value) {
    return (List<Object>) value;
  }

  @SuppressWarnings("unchecked")
  private static Map<Object, Object> asMap(Object value) {
    return (Map<Object, Object>) value;
  }

  /** Tuples cannot be changed, so that lists that are shared cannot change through them. */
  private PickleValue.Tuple tuple(List<Object> items) {
    charge(LIST_BYTES);
    return new PickleValue.Tuple(Collections.unmodifiableList(items));
  }

  private List<Object> popItems(int count) {
    Object[] items = new Object[count];
    for (int i = count - 1; i >= 0; i--) {
      items[i] = pop();
    }
    return Arrays.asList(items);
  }

  private void memoize(long index) {
    charge(ENTRY_BYTES);
    memo.put(index, top());
  }

  private void recall(long index) {
    Object value = memo.get(index);
    if (value == null && !memo.containsKey(index)) {
      throw bad("recalls value " + index + ", which it did not keep");
    }
    push(value);
  }

  private void push(Object value) {
    charge(SLOT_BYTES);
    stack.add(value);
  }

  private Object pop() {
    top();
    return stack.removeLast();
  }

  private Object top() {
    if (stack.isEmpty()) {
      throw bad("is damaged: an instruction lacks its value, before byte " + pickle.position());
    }
    return stack.getLast();
  }

  /** Returns a view of the next bytes, which are passed. */
  private ByteBuffer take(long count) {
    if (count > pickle.remaining()) {
      throw bad("is truncated: it ends at byte " + pickle.limit() + ", within a value");
    }
    ByteBuffer view = pickle.slice(pickle.position(), (int) count).order(ByteOrder.LITTLE_ENDIAN);
    pickle.position(pickle.position() + (int) count);
    return view;
  }

  private byte[] bytes(long count) {
    ByteBuffer view = take(count);
    charge(SCALAR_BYTES + count);
    byte[] bytes = new byte[(int) count];
    view.get(bytes);
    return bytes;
  }

  private String text(long length) {
    ByteBuffer view = take(length);
    charge(HeapBudget.stringBytes((int) length));
    byte[] bytes = new byte[(int) length];
    view.get(bytes);
    try {
      return StrictUtf8.decode(bytes);
    } catch (CharacterCodingException e) {
      throw new FormatException(source + " has text that is not UTF-8", e);
    }
  }

  private String line() {
    int from = pickle.position();
    int end = from;
    while (end < pickle.limit() && pickle.get(end) != '\n') {
      end++;
    }
    String line = text(end - from);
    take(1);
    return line;
  }

  private static Object number(byte[] littleEndian) {
    if (littleEndian.length == 0) {
      return 0L;
    }
    byte[] bigEndian = new byte[littleEndian.length];
    for (int i = 0; i < bigEndian.length; i++) {
      bigEndian[i] = littleEndian[bigEndian.length - 1 - i];
    }
    BigInteger value = new BigInteger(bigEndian);
    return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
  }

  private void charge(long bytes) {
    budget.charge(bytes, path);
  }

  private FormatException bad(String what) {
    return new FormatException(source + " " + what);
  }
}
