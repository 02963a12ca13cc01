package dev.panatune.format;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.MappedFile;
import dev.panatune.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The tensors of safetensors files. */
final class SafetensorsStore implements WeightStore {
  private final SafetensorsIndex index;
  private final Map<SafetensorsFile, MappedFile> mapped = new HashMap<>();

  private SafetensorsStore(SafetensorsIndex index) {
    this.index = index;
  }

  static SafetensorsStore open(SafetensorsIndex index) {
    SafetensorsStore store = new SafetensorsStore(index);
    try {
      index.files().forEach(file -> store.mapped.put(file, MappedFile.open(file.path())));
      return store;
    } catch (RuntimeException e) {
      store.close();
      throw e;
    }
  }

  @Override
  public Set<String> names() {
    return index.tensors().keySet();
  }

  @Override
  public long[] shape(String name) {
    return index.tensor(name).shape();
  }

  @Override
  public Optional<DType> dtype(String name) {
    return SafetensorsTypes.find(index.tensor(name));
  }

  @Override
  public Tensor tensor(String name) {
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
  public void close() {
    mapped.values().forEach(MappedFile::close);
  }
}
