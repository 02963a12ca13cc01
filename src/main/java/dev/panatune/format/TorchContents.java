package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Finds the tensors in what a pickle holds, which may be nested, and gives them names. */
final class TorchContents {
  /** A name of no characters cannot be shown; a file may hold one tensor and nothing around it. */
  private static final String ALONE = "tensor";

  private static final int DEEPEST = 32;
  private static final int TENSOR_HEAP_BYTES = 240;
  private static final int LONGEST_NAME = 4096;

  private final RegularFile file;
  private final HeapBudget budget;
  private final Map<String, TorchTensorInfo> tensors = new LinkedHashMap<>();
  private final Map<String, Object> metadata = new LinkedHashMap<>();

  private TorchContents(RegularFile file, HeapBudget budget) {
    this.file = file;
    this.budget = budget;
  }

  /**
   * Walks through a pickle's value.
   *
   * @throws FormatException if two tensors have one name, or it is nested beyond reason
   */
  static TorchContents of(Object root, RegularFile file, HeapBudget budget) {
    TorchContents contents = new TorchContents(file, budget);
    contents.visit("", root, 0);
    return contents;
  }

  Map<String, TorchTensorInfo> tensors() {
    return tensors;
  }

  /** Returns everything that is no tensor, under the same kind of names. */
  Map<String, Object> metadata() {
    return metadata;
  }

  /** Values can be shared without end, so each visit is paid for. */
  private void visit(String name, Object value, int depth) {
    budget.charge(HeapBudget.stringBytes(name.length()), file.path());
    if (depth > DEEPEST || name.length() > LONGEST_NAME) {
      throw bad("is nested beyond reason, at " + Printable.quoted(name));
    }
    switch (value) {
      case TorchView view -> add(name.isEmpty() ? ALONE : name, view);
      case Map<?, ?> map -> map.forEach((key, item) -> visit(child(name, key), item, depth + 1));
      case List<?> list -> visitItems(name, list, depth);
      case PickleValue.Tuple(List<Object> items) -> visitItems(name, items, depth);
      case null -> note(name, null);
      case PickleValue.Described(String text) -> note(name, text);
      case PickleValue.Dtype(TorchDtype type) -> note(name, "torch." + type.torchName());
      case PickleValue.Bytes(byte[] content) -> note(name, content.length + " bytes");
      case PickleValue.StorageClass _, PickleValue.Callable _, TorchStorage _ ->
          throw bad("has something at " + Printable.quoted(name) + " that is no value");
      default -> note(name, value);
    }
  }

  private void visitItems(String name, List<?> items, int depth) {
    for (int i = 0; i < items.size(); i++) {
      visit(child(name, i), items.get(i), depth + 1);
    }
  }

  private static String child(String name, Object key) {
    return name.isEmpty() ? key.toString() : name + "." + key;
  }

  private void add(String name, TorchView view) {
    budget.charge(TENSOR_HEAP_BYTES, file.path());
    TorchTensorInfo info =
        new TorchTensorInfo(
            name,
            view.dtype(),
            view.shape(),
            view.stride(),
            view.offset(),
            view.storage().member());
    if (tensors.put(name, info) != null) {
      throw bad("has the tensor " + Printable.quoted(name) + " twice");
    }
  }

  private void note(String name, Object value) {
    metadata.put(name, value);
  }

  private FormatException bad(String what) {
    return new FormatException(Printable.path(file.path()) + " " + what);
  }
}
