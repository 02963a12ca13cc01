package dev.panatune.format;

import dev.panatune.error.FormatException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.MappedFile;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Named tensors in a safetensors file, between the file and libtorch. */
public final class TensorFile {
  /** What PEFT and transformers want to find in a file's metadata. */
  private static final Map<String, String> PYTORCH = Map.of("format", "pt");

  private TensorFile() {}

  /** Writes tensors of any device, layout and supported dtype; the file appears whole. */
  public static void write(Path file, Map<String, Tensor> tensors) {
    List<TensorSpec> specs =
        tensors.entrySet().stream()
            .map(
                entry ->
                    new TensorSpec(
                        entry.getKey(),
                        storedType(entry.getValue().dtype()),
                        entry.getValue().shape()))
            .toList();
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, PYTORCH)) {
      tensors.forEach(
          (name, tensor) -> {
            try (TensorScope _ = TensorScope.open()) {
              writer.append(name, tensor.detach().to(Device.CPU).contiguous().segment());
            }
          });
      writer.commit();
    }
  }

  /**
   * Maps the file's tensors in place; they belong to the innermost scope.
   *
   * @throws FormatException if the file is not what it should be
   */
  public static Map<String, Tensor> read(Path file) {
    SafetensorsFile header = SafetensorsFile.open(file);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (MappedFile mapped = MappedFile.open(file)) {
      header
          .tensors()
          .forEach(
              (name, info) ->
                  tensors.put(name, mapped.tensor(info.offset(), type(file, info), info.shape())));
    }
    return tensors;
  }

  private static DType type(Path file, TensorInfo info) {
    return switch (info.dtype()) {
      case "F64" -> DType.FLOAT64;
      case "F32" -> DType.FLOAT32;
      case "F16" -> DType.FLOAT16;
      case "BF16" -> DType.BFLOAT16;
      case "I64" -> DType.INT64;
      case "I32" -> DType.INT32;
      case "I16" -> DType.INT16;
      case "I8" -> DType.INT8;
      case "U8" -> DType.UINT8;
      case "BOOL" -> DType.BOOL;
      default ->
          throw new FormatException(
              Printable.path(file)
                  + ": the tensor "
                  + info
                  + " is of a type that cannot be computed with here");
    };
  }

  private static SafetensorsDtype storedType(DType dtype) {
    return switch (dtype) {
      case FLOAT64 -> SafetensorsDtype.F64;
      case FLOAT32 -> SafetensorsDtype.F32;
      case FLOAT16 -> SafetensorsDtype.F16;
      case BFLOAT16 -> SafetensorsDtype.BF16;
      case INT64 -> SafetensorsDtype.I64;
      case INT32 -> SafetensorsDtype.I32;
      case INT16 -> SafetensorsDtype.I16;
      case INT8 -> SafetensorsDtype.I8;
      case UINT8 -> SafetensorsDtype.U8;
      case BOOL -> SafetensorsDtype.BOOL;
    };
  }
}
