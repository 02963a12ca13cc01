package dev.panatune.train;

import dev.panatune.error.FormatException;
import dev.panatune.format.SafetensorsDtype;
import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.SafetensorsWriter;
import dev.panatune.format.TensorInfo;
import dev.panatune.format.TensorSpec;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.MappedFile;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** Named tensors in a safetensors file, written from and read into tensors that are there. */
final class TensorFile {
  private TensorFile() {}

  static void write(Path file, SequencedMap<String, Tensor> tensors) {
    List<TensorSpec> specs =
        tensors.entrySet().stream()
            .map(e -> new TensorSpec(e.getKey(), type(e.getValue()), e.getValue().shape()))
            .toList();
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, Map.of("format", "pt"))) {
      tensors.forEach(
          (name, tensor) -> {
            try (TensorScope _ = TensorScope.open()) {
              Tensor plain = tensor.detach().to(Device.CPU).contiguous();
              writer.append(name, plain.segment());
            }
          });
      writer.commit();
    }
  }

  /**
   * Copies the file's tensors into {@code tensors}, which must be all that it holds.
   *
   * @throws FormatException if one is missing, unknown, or of another shape or type
   */
  static void read(Path file, SequencedMap<String, Tensor> tensors) {
    SafetensorsFile stored = SafetensorsFile.open(file);
    for (String name : stored.tensors().keySet()) {
      if (!tensors.containsKey(name)) {
        throw new FormatException(
            file + " has the tensor " + name + ", which this run does not train");
      }
    }
    try (MappedFile mapped = MappedFile.open(file);
        GradMode _ = GradMode.disable()) {
      tensors.forEach(
          (name, tensor) -> {
            TensorInfo info = checked(stored.tensor(name), tensor, file);
            try (TensorScope _ = TensorScope.open()) {
              tensor.copy_(mapped.tensor(info.offset(), tensor.dtype(), tensor.shape()));
            }
          });
    }
  }

  private static TensorInfo checked(TensorInfo info, Tensor tensor, Path file) {
    if (!info.dtype().equals(type(tensor).name()) || !Arrays.equals(info.shape(), tensor.shape())) {
      throw new FormatException(
          "%s: %s is %s%s, and this run has %s%s"
              .formatted(
                  file,
                  info.name(),
                  info.dtype(),
                  Arrays.toString(info.shape()),
                  type(tensor),
                  Arrays.toString(tensor.shape())));
    }
    return info;
  }

  private static SafetensorsDtype type(Tensor tensor) {
    return switch (tensor.dtype()) {
      case FLOAT32 -> SafetensorsDtype.F32;
      case UINT8 -> SafetensorsDtype.U8;
      default -> throw new IllegalArgumentException("a checkpoint has no " + tensor.dtype());
    };
  }
}
