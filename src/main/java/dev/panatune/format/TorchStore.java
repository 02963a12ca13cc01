package dev.panatune.format;

import dev.panatune.error.FormatException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Optional;
import java.util.Set;

/** The tensors of {@code torch.save} archives: strided views of storages that several may share. */
final class TorchStore implements WeightStore {
  private static final Op AS_STRIDED = Op.find("aten::as_strided", "");

  private final TorchIndex index;
  private final MappedFiles mapped;

  private TorchStore(TorchIndex index, MappedFiles mapped) {
    this.index = index;
    this.mapped = mapped;
  }

  static TorchStore open(TorchIndex index) {
    return new TorchStore(index, MappedFiles.open(index.files().stream().map(TorchFile::path)));
  }

  @Override
  public Set<String> names() {
    return index.tensors().keySet();
  }

  @Override
  public long[] shape(String name) {
    return info(name).shape();
  }

  @Override
  public Optional<DType> dtype(String name) {
    return info(name).dtype().dtype();
  }

  @Override
  public Tensor tensor(String name) {
    TorchTensorInfo info = info(name);
    DType dtype =
        info.dtype()
            .dtype()
            .orElseThrow(() ->
                new FormatException(
                    "The tensor %s is of a type that cannot be computed with here"
                        .formatted(info)));
    try (TensorScope scope = TensorScope.open()) {
      Tensor view =
          AS_STRIDED.call(storage(info, dtype), info.shape(), info.stride(), info.offset());
      return scope.moveToOuter(view);
    }
  }

  private Tensor storage(TorchTensorInfo info, DType dtype) {
    TorchFile file = index.fileOf(info.name());
    ZipMember member = file.storageOf(info);
    long elements = member.size() / dtype.byteSize();
    if (!member.deflated()) {
      return mapped.get(file.path()).tensor(member.offset(), dtype, elements);
    }
    Tensor storage = Tensor.empty(dtype, elements);
    try (RegularFile source = RegularFile.open(file.path())) {
      InflatedMember.read(member, source, storage.segment());
    }
    return storage;
  }

  @Override
  public void release(String name) {
    TorchTensorInfo info = info(name);
    TorchFile file = index.fileOf(name);
    ZipMember member = file.storageOf(info);
    mapped.get(file.path()).release(member.offset(), member.storedSize());
  }

  private TorchTensorInfo info(String name) {
    return index.fileOf(name).tensor(name);
  }

  @Override
  public void close() {
    mapped.close();
  }
}
