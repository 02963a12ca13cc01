package dev.panatune.format;

import dev.panatune.tensor.DType;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** The element types of {@code torch.save}, by their names in Python. */
public enum TorchDtype {
  FLOAT64(8, "DoubleStorage", DType.FLOAT64),
  FLOAT32(4, "FloatStorage", DType.FLOAT32),
  FLOAT16(2, "HalfStorage", DType.FLOAT16),
  BFLOAT16(2, "BFloat16Storage", DType.BFLOAT16),
  INT64(8, "LongStorage", DType.INT64),
  INT32(4, "IntStorage", DType.INT32),
  INT16(2, "ShortStorage", DType.INT16),
  INT8(1, "CharStorage", DType.INT8),
  UINT8(1, "ByteStorage", DType.UINT8),
  BOOL(1, "BoolStorage", DType.BOOL),
  COMPLEX128(16, "ComplexDoubleStorage", null),
  COMPLEX64(8, "ComplexFloatStorage", null),
  COMPLEX32(4, null, null),
  UINT16(2, null, null),
  UINT32(4, null, null),
  UINT64(8, null, null),
  FLOAT8_E4M3FN(1, null, null),
  FLOAT8_E5M2(1, null, null),
  FLOAT8_E4M3FNUZ(1, null, null),
  FLOAT8_E5M2FNUZ(1, null, null),
  FLOAT8_E8M0FNU(1, null, null);

  private final int byteSize;
  private final String storageClass;
  private final DType dtype;

  TorchDtype(int byteSize, String storageClass, DType dtype) {
    this.byteSize = byteSize;
    this.storageClass = storageClass;
    this.dtype = dtype;
  }

  /** Returns the bytes of one element. */
  public int byteSize() {
    return byteSize;
  }

  /** Returns the name in Python, without {@code torch.}. */
  public String torchName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Returns the type to compute with; empty where there is none here. */
  public Optional<DType> dtype() {
    return Optional.ofNullable(dtype);
  }

  /** Finds a type by its name in Python, without {@code torch.}. */
  static Optional<TorchDtype> find(String torchName) {
    return Arrays.stream(values()).filter(type -> type.torchName().equals(torchName)).findFirst();
  }

  /** Finds a type by the class of the storages that hold it. */
  static Optional<TorchDtype> ofStorage(String className) {
    return Arrays.stream(values()).filter(type -> className.equals(type.storageClass)).findFirst();
  }
}
