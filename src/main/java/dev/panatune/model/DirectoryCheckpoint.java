package dev.panatune.model;

import dev.panatune.format.WeightStore;
import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The weights of a Hugging Face directory: safetensors or torch.save, in one file or in shards. */
final class DirectoryCheckpoint implements Checkpoint {
  private static final String HEAD = "lm_head.weight";

  private final Path directory;
  private final WeightStore store;
  private final QuantizedShapes quantized;
  private final Map<String, long[]> shapes = new LinkedHashMap<>();

  private DirectoryCheckpoint(Path directory, WeightStore store) {
    this.directory = directory;
    this.store = store;
    this.quantized = new QuantizedShapes(store);
    for (String name : store.names()) {
      if (quantized.contains(name)) {
        shapes.put(name, quantized.of(name));
      } else if (!quantized.hasPart(name)) {
        shapes.put(name, store.shape(name));
      }
    }
  }

  /** Opens the weights in a directory. */
  static DirectoryCheckpoint open(Path directory) {
    WeightStore store = WeightStore.open(WeightStore.find(directory, "model", "pytorch_model"));
    try {
      return new DirectoryCheckpoint(directory, store);
    } catch (RuntimeException e) {
      store.close();
      throw e;
    }
  }

  /**
   * Returns the configuration, with an untied head where the file has a head of its own that is not
   * the embedding's table; transformers goes by the weights then, too.
   */
  ModelConfig withActualHead(ModelConfig config) {
    String embedding = config.family().names().embeddingPath() + ".weight";
    if (!config.tiedHead() || !shapes.containsKey(HEAD) || !shapes.containsKey(embedding)) {
      return config;
    }
    try (TensorScope _ = TensorScope.open()) {
      boolean same = store.tensor(HEAD).equal(store.tensor(embedding));
      release(HEAD);
      return same ? config : config.withUntiedHead();
    }
  }

  @Override
  public Map<String, long[]> shapes() {
    return shapes;
  }

  @Override
  public DType storedDtype() {
    return store.names().stream()
        .map(store::dtype)
        .flatMap(Optional::stream)
        .filter(DType::isFloatingPoint)
        .findFirst()
        .orElse(DType.FLOAT32);
  }

  @Override
  public boolean isQuantized(String name) {
    return quantized.contains(name);
  }

  @Override
  public QuantizedTensor readQuantized(String name, DType computeDtype, Device device) {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> parts = new LinkedHashMap<>();
      store.names().stream()
          .filter(key -> key.equals(name) || key.startsWith(name + "."))
          .forEach(key -> parts.put(key, store.tensor(key).to(device)));
      return QuantizedTensor.fromStateDict(name, parts, computeDtype);
    }
  }

  @Override
  public Tensor read(String name, DType dtype) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor stored = store.tensor(name);
      Tensor value = scope.moveToOuter(stored.to(dtype).contiguous());
      if (stored.dtype() != dtype) {
        release(name);
      }
      return value;
    }
  }

  @Override
  public void release(String name) {
    store.release(name);
  }

  @Override
  public String description() {
    return directory.toString();
  }

  @Override
  public void close() {
    store.close();
  }
}
