package dev.panatune.tensor;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Element types of tensors, under the names that PyTorch gives them. */
public enum DType {
  FLOAT32("float32", "fp32", 6, 4),
  FLOAT16("float16", "fp16", 5, 2),
  BFLOAT16("bfloat16", "bf16", 15, 2),
  FLOAT64("float64", "fp64", 7, 8),
  INT64("int64", "long", 4, 8),
  INT32("int32", "int", 3, 4),
  INT16("int16", "short", 2, 2),
  INT8("int8", "char", 1, 1),
  UINT8("uint8", "byte", 0, 1),
  BOOL("bool", "boolean", 11, 1);

  private final String torchName;
  private final String shortName;
  private final int scalarType;
  private final int byteSize;

  DType(String torchName, String shortName, int scalarType, int byteSize) {
    this.torchName = torchName;
    this.shortName = shortName;
    this.scalarType = scalarType;
    this.byteSize = byteSize;
  }

  /** Bytes of one element. */
  public int byteSize() {
    return byteSize;
  }

  /** True for float64, float32, float16 and bfloat16. */
  public boolean isFloatingPoint() {
    return this == FLOAT32 || this == FLOAT16 || this == BFLOAT16 || this == FLOAT64;
  }

  /** The name in PyTorch and in {@code config.json}, without the {@code torch.} prefix. */
  public String torchName() {
    return torchName;
  }

  /** The number that libtorch gives this type (c10::ScalarType). */
  int scalarType() {
    return scalarType;
  }

  static DType ofScalarType(int scalarType) {
    for (DType type : values()) {
      if (type.scalarType == scalarType) {
        return type;
      }
    }
    throw new IllegalStateException(
        "libtorch's scalar type " + scalarType + " has no DType here; convert the tensor first");
  }

  /**
   * Reads a name as people write it: {@code float32}, {@code torch.float32} or {@code fp32}.
   *
   * @throws ConfigurationException if no type has that name; the message lists those that exist
   */
  public static DType parse(String name) {
    String plain = name.toLowerCase(Locale.ROOT);
    if (plain.startsWith("torch.")) {
      plain = plain.substring("torch.".length());
    }
    for (DType type : values()) {
      if (type.torchName.equals(plain) || type.shortName.equals(plain)) {
        return type;
      }
    }
    throw new ConfigurationException(
        "unknown dtype '"
            + name
            + "'; known are "
            + Arrays.stream(values()).map(DType::torchName).collect(Collectors.joining(", ")));
  }
}
