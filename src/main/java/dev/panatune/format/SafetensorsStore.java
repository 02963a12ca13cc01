package dev.panatune.format;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import java.util.Optional;
import java.util.Set;

/** The tensors of safetensors files. */
final class SafetensorsStore implements WeightStore {
  private final SafetensorsIndex index;
  private final MappedFiles mapped;

  private SafetensorsStore(SafetensorsIndex index, MappedFiles mapped) {
    this.index = index;
    this.mapped = mapped;
  }

  static SafetensorsStore open(SafetensorsIndex index) {
    return new SafetensorsStore(
        index, MappedFiles.open(index.files().stream().map(SafetensorsFile::path)));
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
        .get(index.fileOf(name).path())
        .tensor(info.offset(), SafetensorsTypes.of(info), info.shape());
  }

  @Override
  public void release(String name) {
    TensorInfo info = index.tensor(name);
    mapped.get(index.fileOf(name).path()).release(info.offset(), info.byteSize());
  }

  @Override
  public void close() {
    mapped.close();
  }
}
