package dev.panatune.model;

import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.format.SafetensorsTypes;
import dev.panatune.format.TensorInfo;
import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.MappedFile;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** The weights of a Hugging Face directory, in one safetensors file or in shards. */
final class SafetensorsCheckpoint implements Checkpoint {
  private static final String EMBEDDING = "model.embed_tokens.weight";
  private static final String HEAD = "lm_head.weight";

  private final Path directory;
  private final SafetensorsIndex index;
  private final Map<SafetensorsFile, MappedFile> mapped = new HashMap<>();
  private final QuantizedShapes quantized;
  private final Map<String, long[]> shapes = new LinkedHashMap<>();

  private SafetensorsCheckpoint(Path directory, SafetensorsIndex index) {
    this.directory = directory;
    this.index = index;
    this.quantized = new QuantizedShapes(index);
    for (TensorInfo info : index.tensors().values()) {
      if (quantized.contains(info.name())) {
        shapes.put(info.name(), quantized.of(info.name()));
      } else if (!quantized.hasPart(info.name())) {
        shapes.put(info.name(), info.shape());
      }
    }
  }

  /** Opens the weights in a directory. */
  static SafetensorsCheckpoint open(Path directory) {
    SafetensorsCheckpoint checkpoint =
        new SafetensorsCheckpoint(directory, SafetensorsIndex.open(directory));
    try {
      for (SafetensorsFile file : checkpoint.index.files()) {
        checkpoint.mapped.put(file, MappedFile.open(file.path()));
      }
      return checkpoint;
    } catch (RuntimeException e) {
      checkpoint.close();
      throw e;
    }
  }

  /**
   * Returns the configuration, with an untied head where the file has a head of its own that is not
   * the embedding's table; transformers goes by the weights then, too.
   */
  ModelConfig withActualHead(ModelConfig config) {
    if (!config.tiedHead() || !shapes.containsKey(HEAD) || !shapes.containsKey(EMBEDDING)) {
      return config;
    }
    try (TensorScope _ = TensorScope.open()) {
      boolean same = stored(HEAD).equal(stored(EMBEDDING));
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
    return index.tensors().values().stream()
        .map(SafetensorsTypes::of)
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
      index.tensors().keySet().stream()
          .filter(key -> key.equals(name) || key.startsWith(name + "."))
          .forEach(key -> parts.put(key, stored(key).to(device)));
      return QuantizedTensor.fromStateDict(name, parts, computeDtype);
    }
  }

  @Override
  public Tensor read(String name, DType dtype) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor stored = stored(name);
      Tensor value = scope.moveToOuter(stored.to(dtype));
      if (stored.dtype() != dtype) {
        release(name);
      }
      return value;
    }
  }

  private Tensor stored(String name) {
    TensorInfo info = index.tensor(name);
    return mapped
        .get(index.fileOf(name))
        .tensor(info.offset(), SafetensorsTypes.of(info), info.shape());
  }

  @Override
  public void release(String name) {
    TensorInfo info = index.tensor(name);
    mapped.get(index.fileOf(name)).release(info.offset(), info.byteSize());
  }

  @Override
  public String description() {
    return directory.toString();
  }

  @Override
  public void close() {
    mapped.values().forEach(MappedFile::close);
  }
}
