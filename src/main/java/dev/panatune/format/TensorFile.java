package dev.panatune.format;

import dev.panatune.error.FormatException;
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
            .map(entry ->
                new TensorSpec(
                    entry.getKey(),
                    SafetensorsTypes.of(entry.getValue().dtype()),
                    entry.getValue().shape()))
            .toList();
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, PYTORCH)) {
      tensors.forEach((name, tensor) -> {
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
          .forEach((name, info) ->
              tensors.put(
                  name, mapped.tensor(info.offset(), SafetensorsTypes.of(info), info.shape())));
    }
    return tensors;
  }
}
