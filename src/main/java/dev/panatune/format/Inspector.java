package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Tells what a path holds, by what is in it rather than by its name. */
final class Inspector {
  private Inspector() {}

  static Inspection inspect(Path path) {
    if (Files.isDirectory(path)) {
      return inspectDirectory(path);
    }
    String name = path.getFileName() == null ? "" : path.getFileName().toString();
    FileKind kind =
        name.endsWith(".safetensors.index.json")
            ? FileKind.SAFETENSORS
            : name.endsWith(".bin.index.json") ? FileKind.TORCH : FileKind.of(path);
    return switch (kind) {
      case GGUF -> ofGguf(path);
      case SAFETENSORS -> ofSafetensors(Inspection.Kind.SAFETENSORS, path, path, Map.of());
      case TORCH -> ofTorch(Inspection.Kind.TORCH, path, path, Map.of());
    };
  }

  private enum FileKind {
    SAFETENSORS,
    TORCH,
    GGUF;

    private static FileKind of(Path path) {
      try (RegularFile file = RegularFile.open(path)) {
        if (file.size() == 0) {
          throw new FormatException(Printable.path(path) + " is empty; get it anew");
        }
        file.requireNoLfsPointer();
        ByteBuffer start = ByteBuffer.allocate(9).order(ByteOrder.LITTLE_ENDIAN);
        start.limit((int) Math.min(start.capacity(), file.size()));
        file.read(start, 0);
        return of(start, path);
      }
    }

    private static FileKind of(ByteBuffer start, Path path) {
      String name = path.getFileName().toString();
      int magic = start.limit() < Integer.BYTES ? 0 : start.getInt(0);
      if (magic == GgufHeader.MAGIC || name.endsWith(".gguf")) {
        return GGUF;
      }
      if (magic == ZipDirectory.LOCAL_MAGIC || start.get(0) == TorchFile.LEGACY_START) {
        return TORCH;
      }
      if (name.endsWith(".safetensors") || start.limit() == 9 && start.get(8) == '{') {
        return SAFETENSORS;
      }
      throw new FormatException(
          Printable.path(path)
              + " is neither a safetensors nor a GGUF file, nor an archive of torch.save");
    }
  }

  private static Inspection inspectDirectory(Path directory) {
    Path adapterConfig = directory.resolve("adapter_config.json");
    Path config = directory.resolve("config.json");
    if (Files.exists(adapterConfig)) {
      return ofWeights(
          Inspection.Kind.ADAPTER,
          directory,
          WeightStore.find(directory, "adapter_model", "adapter_model"),
          Map.of("adapter_config", StrictJson.readObject(adapterConfig)));
    }
    if (Files.exists(config)) {
      return ofWeights(
          Inspection.Kind.MODEL,
          directory,
          WeightStore.find(directory, "model", "pytorch_model"),
          Map.of("config", StrictJson.readObject(config)));
    }
    return inspectOnlyFile(directory);
  }

  private static Inspection inspectOnlyFile(Path directory) {
    List<Path> candidates = new ArrayList<>();
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(directory, "*.{gguf,safetensors,bin,pt,pth,index.json}")) {
      files.forEach(candidates::add);
    } catch (IOException e) {
      throw StorageFailure.of("read", directory, e);
    }
    if (candidates.size() != 1) {
      throw new FormatException(
          Printable.path(directory)
              + " has no config.json, no adapter_config.json and "
              + (candidates.isEmpty() ? "no" : candidates.size() + "")
              + " safetensors, GGUF or torch.save files"
              + (candidates.isEmpty() ? "" : "; name one of them")
              + names(candidates));
    }
    return inspect(candidates.getFirst());
  }

  private static String names(List<Path> files) {
    if (files.isEmpty()) {
      return "";
    }
    List<String> names =
        files.stream().map(file -> Printable.path(file.getFileName())).sorted().limit(8).toList();
    return ": " + String.join(", ", names) + (files.size() > names.size() ? ", ..." : "");
  }

  private static Inspection ofWeights(
      Inspection.Kind kind, Path path, Path weights, Map<String, Object> configuration) {
    return WeightStore.isTorch(weights)
        ? ofTorch(kind, path, weights, configuration)
        : ofSafetensors(kind, path, weights, configuration);
  }

  private static Inspection ofSafetensors(
      Inspection.Kind kind, Path path, Path weights, Map<String, Object> configuration) {
    SafetensorsIndex index = SafetensorsIndex.open(weights);
    List<InspectedTensor> tensors = new ArrayList<>(index.tensors().size());
    for (TensorInfo info : index.tensors().values()) {
      tensors.add(new InspectedTensor(info.name(), info.dtype(), info.shape(), info.byteSize()));
    }
    return new Inspection(
        kind,
        path,
        index.files().stream().map(SafetensorsFile::path).toList(),
        tensors,
        metadata(configuration, "safetensors", index.metadata()));
  }

  private static Inspection ofTorch(
      Inspection.Kind kind, Path path, Path weights, Map<String, Object> configuration) {
    TorchIndex index = TorchIndex.open(weights);
    List<InspectedTensor> tensors = new ArrayList<>(index.tensors().size());
    for (TorchTensorInfo info : index.tensors().values()) {
      tensors.add(
          new InspectedTensor(
              info.name(), info.dtype().torchName(), info.shape(), info.byteSize()));
    }
    return new Inspection(
        kind,
        path,
        index.files().stream().map(TorchFile::path).toList(),
        tensors,
        metadata(configuration, "torch", index.metadata()));
  }

  /** A file's own metadata stand alone, those beside a configuration under a name of theirs. */
  private static Map<String, Object> metadata(
      Map<String, Object> configuration, String name, Map<String, ?> ofFiles) {
    Map<String, Object> metadata = new LinkedHashMap<>(configuration);
    if (configuration.isEmpty()) {
      metadata.putAll(ofFiles);
    } else {
      metadata.put(name, ofFiles);
    }
    return metadata;
  }

  private static Inspection ofGguf(Path path) {
    GgufFile gguf = GgufFile.open(path);
    List<InspectedTensor> tensors = new ArrayList<>(gguf.tensors().size());
    for (GgufTensorInfo info : gguf.tensors().values()) {
      tensors.add(
          new InspectedTensor(info.name(), info.type().name(), info.shape(), info.byteSize()));
    }
    return new Inspection(Inspection.Kind.GGUF, path, List.of(path), tensors, gguf.metadata());
  }
}
