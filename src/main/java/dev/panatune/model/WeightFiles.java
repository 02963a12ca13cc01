package dev.panatune.model;

import dev.panatune.format.AtomicFiles;
import dev.panatune.format.SafetensorsTypes;
import dev.panatune.format.SafetensorsWriter;
import dev.panatune.format.TensorSpec;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The weights of a model as safetensors: one file, or shards and their index. */
final class WeightFiles {
  private static final long LARGEST_SHARD = 5_000_000_000L;
  private static final Map<String, String> METADATA = Map.of("format", "pt");

  private final Map<String, Tensor> dense;
  private final Map<String, QuantizedLinear> quantized;
  private final Optional<DType> dtype;
  private final long largestShard;

  /**
   * Creates it.
   *
   * @param dense parameters by name
   * @param quantized layers by path
   * @param dtype what floating-point parameters are stored as; empty for each as it is
   */
  WeightFiles(
      Map<String, Tensor> dense, Map<String, QuantizedLinear> quantized, Optional<DType> dtype) {
    this(dense, quantized, dtype, LARGEST_SHARD);
  }

  WeightFiles(
      Map<String, Tensor> dense,
      Map<String, QuantizedLinear> quantized,
      Optional<DType> dtype,
      long largestShard) {
    this.dense = dense;
    this.quantized = quantized;
    this.dtype = dtype;
    this.largestShard = largestShard;
  }

  /** Writes them, one tensor at a time. */
  void write(Path directory) {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>(dense);
      quantized.forEach(
          (path, layer) -> tensors.putAll(layer.weight().stateDict(path + ".weight")));
      List<List<TensorSpec>> shards = shards(tensors);
      if (shards.size() == 1) {
        writeFile(directory.resolve("model.safetensors"), shards.getFirst(), tensors);
      } else {
        writeShards(directory, shards, tensors);
      }
    }
  }

  private List<List<TensorSpec>> shards(Map<String, Tensor> tensors) {
    List<List<TensorSpec>> shards = new ArrayList<>();
    shards.add(new ArrayList<>());
    long size = 0;
    for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
      long bytes = byteSize(entry.getKey(), entry.getValue());
      if (size > 0 && size + bytes > largestShard) {
        shards.add(new ArrayList<>());
        size = 0;
      }
      size += bytes;
      shards
          .getLast()
          .add(
              new TensorSpec(
                  entry.getKey(),
                  SafetensorsTypes.of(stored(entry.getKey(), entry.getValue())),
                  entry.getValue().shape()));
    }
    return shards;
  }

  private long byteSize(String name, Tensor tensor) {
    return tensor.numel() * stored(name, tensor).byteSize();
  }

  /** What belongs to a 4-bit weight is stored as it is, scales in fp32 with it. */
  private DType stored(String name, Tensor tensor) {
    boolean cast = dense.containsKey(name) && tensor.dtype().isFloatingPoint();
    return cast ? dtype.orElse(tensor.dtype()) : tensor.dtype();
  }

  private void writeFile(Path file, List<TensorSpec> specs, Map<String, Tensor> tensors) {
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, METADATA)) {
      for (TensorSpec spec : specs) {
        try (TensorScope _ = TensorScope.open()) {
          Tensor tensor = tensors.get(spec.name());
          Tensor plain = tensor.detach().to(Device.CPU).to(stored(spec.name(), tensor));
          writer.append(spec.name(), plain.contiguous().segment());
        }
      }
      writer.commit();
    }
  }

  private void writeShards(
      Path directory, List<List<TensorSpec>> shards, Map<String, Tensor> tensors) {
    Map<String, Object> shardOf = new LinkedHashMap<>();
    long total = 0;
    for (int i = 0; i < shards.size(); i++) {
      String name = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
      writeFile(directory.resolve(name), shards.get(i), tensors);
      for (TensorSpec spec : shards.get(i)) {
        shardOf.put(spec.name(), name);
        total += byteSize(spec.name(), tensors.get(spec.name()));
      }
    }
    Map<String, Object> index = new LinkedHashMap<>();
    index.put("metadata", Map.of("total_size", total));
    index.put("weight_map", shardOf);
    AtomicFiles.writeString(directory.resolve("model.safetensors.index.json"), JsonText.of(index));
  }
}
