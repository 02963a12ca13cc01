package dev.panatune.model;

import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** A checkpoint under the names that its family's modules have. */
final class NamedCheckpoint implements Checkpoint {
  private final Checkpoint stored;
  private final Map<String, String> storedNames = new LinkedHashMap<>();
  private final Map<String, long[]> shapes = new LinkedHashMap<>();

  /** Creates it over a checkpoint, which goes on belonging to the caller. */
  NamedCheckpoint(Checkpoint stored, ModelFamily family) {
    this.stored = stored;
    StoredNames names = new StoredNames(family);
    stored
        .shapes()
        .forEach((name, shape) -> {
          if (!StoredNames.isBuffer(name)) {
            storedNames.put(names.inModel(name), name);
            shapes.put(names.inModel(name), shape);
          }
        });
  }

  @Override
  public Map<String, long[]> shapes() {
    return shapes;
  }

  @Override
  public DType storedDtype() {
    return stored.storedDtype();
  }

  @Override
  public boolean isQuantized(String name) {
    return storedNames.containsKey(name) && stored.isQuantized(storedNames.get(name));
  }

  @Override
  public QuantizedTensor readQuantized(String name, DType computeDtype, Device device) {
    return stored.readQuantized(storedNames.get(name), computeDtype, device);
  }

  @Override
  public Tensor read(String name, DType dtype) {
    return stored.read(storedNames.get(name), dtype);
  }

  @Override
  public void release(String name) {
    stored.release(storedNames.get(name));
  }

  @Override
  public String description() {
    return stored.description();
  }

  /** Does nothing: the stored checkpoint is the caller's to close. */
  @Override
  public void close() {}
}
