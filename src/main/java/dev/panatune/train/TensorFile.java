package dev.panatune.train;

import dev.panatune.error.FormatException;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.format.SafetensorsTypes;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** Named tensors in a safetensors file, written from and read into tensors that are there. */
final class TensorFile {
  private TensorFile() {}

  static void write(Path file, SequencedMap<String, Tensor> tensors) {
    List<TensorSpec> specs =
        tensors.entrySet().stream().map(e -> spec(e.getKey(), e.getValue())).toList();
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, Map.of("format", "pt"))) {
      tensors.forEach((name, tensor) -> {
        try (TensorScope _ = TensorScope.open()) {
          Tensor plain = tensor.detach().to(Device.CPU).contiguous();
          writer.append(name, plain.segment());
        }
      });
      writer.commit();
    }
  }

  /**
   * Copies the tensors of files into {@code tensors}, which must be all that they hold.
   *
   * @throws FormatException if one is missing, unknown, or of another shape or type
   */
  static void read(SafetensorsIndex stored, SequencedMap<String, Tensor> tensors) {
    for (String name : stored.tensors().keySet()) {
      if (!tensors.containsKey(name)) {
        throw new FormatException(
            stored.fileOf(name).path()
                + " has the tensor "
                + name
                + ", which this run does not train");
      }
    }
    Map<Path, MappedFile> mapped = new HashMap<>();
    try (GradMode _ = GradMode.disable()) {
      tensors.forEach((name, tensor) -> {
        Path file = stored.fileOf(name).path();
        TensorInfo info = checked(stored.tensor(name), tensor, file);
        try (TensorScope _ = TensorScope.open()) {
          tensor.copy_(
              mapped
                  .computeIfAbsent(file, MappedFile::open)
                  .tensor(info.offset(), tensor.dtype(), tensor.shape()));
        }
      });
    } finally {
      mapped.values().forEach(MappedFile::close);
    }
  }

  private static TensorInfo checked(TensorInfo info, Tensor tensor, Path file) {
    String wanted = SafetensorsTypes.of(tensor.dtype()).name();
    if (!info.dtype().equals(wanted) || !Arrays.equals(info.shape(), tensor.shape())) {
      throw new FormatException(
          "%s: %s is %s%s, and this run has %s%s"
              .formatted(
                  file,
                  info.name(),
                  info.dtype(),
                  Arrays.toString(info.shape()),
                  wanted,
                  Arrays.toString(tensor.shape())));
    }
    return info;
  }

  private static TensorSpec spec(String name, Tensor tensor) {
    return new TensorSpec(name, SafetensorsTypes.of(tensor.dtype()), tensor.shape());
  }
}
