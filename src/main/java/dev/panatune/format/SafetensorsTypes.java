package dev.panatune.format;

import dev.panatune.error.FormatException;
import dev.panatune.tensor.DType;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/** Which element type of safetensors is which of libtorch. */
public final class SafetensorsTypes {
  private static final Map<DType, SafetensorsDtype> STORED = new EnumMap<>(DType.class);

  static {
    STORED.put(DType.FLOAT64, SafetensorsDtype.F64);
    STORED.put(DType.FLOAT32, SafetensorsDtype.F32);
    STORED.put(DType.FLOAT16, SafetensorsDtype.F16);
    STORED.put(DType.BFLOAT16, SafetensorsDtype.BF16);
    STORED.put(DType.INT64, SafetensorsDtype.I64);
    STORED.put(DType.INT32, SafetensorsDtype.I32);
    STORED.put(DType.INT16, SafetensorsDtype.I16);
    STORED.put(DType.INT8, SafetensorsDtype.I8);
    STORED.put(DType.UINT8, SafetensorsDtype.U8);
    STORED.put(DType.BOOL, SafetensorsDtype.BOOL);
  }

  private SafetensorsTypes() {}

  /** Returns the type that tensors of a dtype are stored as. */
  public static SafetensorsDtype of(DType dtype) {
    return STORED.get(dtype);
  }

  /**
   * Returns the dtype of a stored tensor.
   *
   * @throws FormatException if there is none like it; the message names tensor and type
   */
  public static DType of(TensorInfo info) {
    return find(info)
        .orElseThrow(() ->
            new FormatException(
                "The tensor %s is of a type that cannot be computed with here".formatted(info)));
  }

  /** Returns the dtype of a stored tensor; empty where there is none like it. */
  static Optional<DType> find(TensorInfo info) {
    return STORED.entrySet().stream()
        .filter(entry -> entry.getValue().name().equals(info.dtype()))
        .map(Map.Entry::getKey)
        .findFirst();
  }
}
