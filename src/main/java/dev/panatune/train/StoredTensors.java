package dev.panatune.train;

import dev.panatune.error.FormatException;
import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.format.TensorFile;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/** Brings saved tensors back into the tensors that they were saved from. */
final class StoredTensors {
  private StoredTensors() {}

  /**
   * Copies the tensors of files into {@code tensors}, which must be all that they hold.
   *
   * @throws FormatException if one is missing, unknown, or of another shape or type
   */
  static void copy(SafetensorsIndex files, SequencedMap<String, Tensor> tensors) {
    copy(files, tensors, Set.of());
  }

  /**
   * Copies the tensors of files into {@code tensors}.
   *
   * @param others names of tensors that the files may hold as well, and that are let be
   * @throws FormatException if one is missing, unknown, or of another shape or type
   */
  static void copy(
      SafetensorsIndex files, SequencedMap<String, Tensor> tensors, Set<String> others) {
    for (String name : files.tensors().keySet()) {
      if (!tensors.containsKey(name) && !others.contains(name)) {
        throw new FormatException(
            "%s has the tensor %s, which this run does not train"
                .formatted(files.fileOf(name).path(), name));
      }
    }
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      Map<String, Tensor> stored = new HashMap<>();
      for (SafetensorsFile file : files.files()) {
        stored.putAll(TensorFile.read(file.path()));
      }
      tensors.forEach((name, tensor) -> {
        SafetensorsFile file = files.fileOf(name);
        Tensor found = stored.get(name);
        if (found.dtype() != tensor.dtype() || !Arrays.equals(found.shape(), tensor.shape())) {
          throw new FormatException(
              "%s: %s is %s, and this run has %s"
                  .formatted(file.path(), name, described(found), described(tensor)));
        }
        tensor.copy_(found);
      });
    }
  }

  private static String described(Tensor tensor) {
    return tensor.dtype().torchName() + Arrays.toString(tensor.shape());
  }
}
