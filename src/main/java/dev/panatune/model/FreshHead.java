package dev.panatune.model;

import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.Map;

/** A language model's checkpoint, with a classifier's fresh head in its head's place. */
final class FreshHead implements Checkpoint {
  private static final String NAME = "score.weight";

  private final Checkpoint stored;
  private final long[] shape;
  private final double deviation;

  /** Creates it over a checkpoint, which goes on belonging to the caller. */
  FreshHead(Checkpoint stored, ModelConfig config) {
    this.stored = stored;
    shape = new long[] {config.headSize(), config.hiddenSize()};
    deviation = config.initializerRange();
  }

  @Override
  public Map<String, long[]> shapes() {
    Map<String, long[]> shapes = new LinkedHashMap<>(stored.shapes());
    shapes.remove("lm_head.weight");
    shapes.remove("embed_out.weight");
    shapes.put(NAME, shape);
    return shapes;
  }

  @Override
  public DType storedDtype() {
    return stored.storedDtype();
  }

  @Override
  public boolean isQuantized(String name) {
    return !name.equals(NAME) && stored.isQuantized(name);
  }

  @Override
  public QuantizedTensor readQuantized(String name, DType computeDtype, Device device) {
    return stored.readQuantized(name, computeDtype, device);
  }

  /** The head is normal, drawn from the default generator. */
  @Override
  public Tensor read(String name, DType dtype) {
    if (!name.equals(NAME)) {
      return stored.read(name, dtype);
    }
    try (TensorScope scope = TensorScope.open()) {
      return scope.moveToOuter(Tensor.randn(DType.FLOAT32, shape).mul(deviation).to(dtype));
    }
  }

  @Override
  public void release(String name) {
    if (!name.equals(NAME)) {
      stored.release(name);
    }
  }

  @Override
  public String description() {
    return stored.description();
  }

  /** Does nothing: the stored checkpoint is the caller's to close. */
  @Override
  public void close() {}
}
