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
  private static final int ZIP_MAGIC = 0x04034b50;

  private Inspector() {}

  static Inspection inspect(Path path) {
    if (Files.isDirectory(path)) {
      return inspectDirectory(path);
    }
    if (path.getFileName() != null
        && path.getFileName().toString().endsWith(".safetensors.index.json")) {
      return ofSafetensors(
          Inspection.Kind.SAFETENSORS, path, SafetensorsIndex.open(path), Map.of());
    }
    return switch (FileKind.of(path)) {
      case GGUF -> ofGguf(path);
      case SAFETENSORS ->
          ofSafetensors(Inspection.Kind.SAFETENSORS, path, SafetensorsIndex.open(path), Map.of());
    };
  }

  private enum FileKind {
    SAFETENSORS,
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
      if (magic == ZIP_MAGIC || start.get(0) == (byte) 0x80) {
        throw new FormatException(
            Printable.path(path)
                + " looks like a torch.save archive (pickled Python), which is not read; save it"
                + " as safetensors");
      }
      if (name.endsWith(".safetensors") || start.limit() == 9 && start.get(8) == '{') {
        return SAFETENSORS;
      }
      throw new FormatException(Printable.path(path) + " is neither a safetensors nor a GGUF file");
    }
  }

  private static Inspection inspectDirectory(Path directory) {
    Path adapterConfig = directory.resolve("adapter_config.json");
    Path config = directory.resolve("config.json");
    if (Files.exists(adapterConfig)) {
      return ofSafetensors(
          Inspection.Kind.ADAPTER,
          directory,
          SafetensorsIndex.open(directory, "adapter_model"),
          Map.of("adapter_config", StrictJson.readObject(adapterConfig)));
    }
    if (Files.exists(config)) {
      return ofSafetensors(
          Inspection.Kind.MODEL,
          directory,
          SafetensorsIndex.open(directory),
          Map.of("config", StrictJson.readObject(config)));
    }
    return inspectOnlyFile(directory);
  }

  private static Inspection inspectOnlyFile(Path directory) {
    List<Path> candidates = new ArrayList<>();
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(directory, "*.{gguf,safetensors,safetensors.index.json}")) {
      files.forEach(candidates::add);
    } catch (IOException e) {
      throw StorageFailure.of("read", directory, e);
    }
    if (candidates.size() != 1) {
      throw new FormatException(
          Printable.path(directory)
              + " has no config.json, no adapter_config.json and "
              + (candidates.isEmpty() ? "no" : candidates.size() + "")
              + " safetensors or GGUF files"
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

  private static Inspection ofSafetensors(
      Inspection.Kind kind, Path path, SafetensorsIndex index, Map<String, Object> configuration) {
    List<InspectedTensor> tensors = new ArrayList<>(index.tensors().size());
    for (TensorInfo info : index.tensors().values()) {
      tensors.add(new InspectedTensor(info.name(), info.dtype(), info.shape(), info.byteSize()));
    }
    Map<String, Object> metadata = new LinkedHashMap<>(configuration);
    if (configuration.isEmpty()) {
      metadata.putAll(index.metadata());
    } else {
      metadata.put("safetensors", index.metadata());
    }
    return new Inspection(
        kind, path, index.files().stream().map(SafetensorsFile::path).toList(), tensors, metadata);
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
