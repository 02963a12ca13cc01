package dev.panatune.model;

import dev.panatune.error.FormatException;
import dev.panatune.format.GgmlType;
import dev.panatune.format.GgufFile;
import dev.panatune.format.GgufTensorInfo;
import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.MappedFile;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The weights of a model in a GGUF file, dequantised when they are read. */
final class GgufCheckpoint implements Checkpoint {
  private static final Op DEQUANTIZE = Op.find("panatune::dequantize_gguf", "");

  private final GgufFile file;
  private final MappedFile mapped;
  private final ModelConfig config;
  private final GgufLayout layout;
  private final Map<String, GgufTensorInfo> tensors = new LinkedHashMap<>();

  /**
   * Opens the weights of a file whose metadata said what the model is.
   *
   * @throws FormatException if a tensor is of a type that is not read
   */
  GgufCheckpoint(GgufFile file, ModelConfig config) {
    this.file = file;
    this.config = config;
    layout = new GgufLayout(config);
    GgufNames names = new GgufNames(config.family());
    for (GgufTensorInfo info : file.tensors().values()) {
      info.type().requireDequantizable(info.name());
      if (!GgufConfig.isMetadata(info.name())) {
        tensors.put(names.huggingFace(info.name()).orElse(info.name()), info);
      }
    }
    mapped = MappedFile.open(file.path());
  }

  @Override
  public Map<String, long[]> shapes() {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    tensors.forEach((name, info) -> shapes.put(name, layout.otherShape(name, info.shape())));
    return shapes;
  }

  /** The embedding's type; bf16 where it is a quantised one. */
  @Override
  public DType storedDtype() {
    return plainType(tensors.get(config.family().names().embeddingPath() + ".weight").type())
        .orElse(DType.BFLOAT16);
  }

  @Override
  public boolean isQuantized(String name) {
    return false;
  }

  @Override
  public QuantizedTensor readQuantized(String name, DType computeDtype, Device device) {
    throw new FormatException(
        "GGUF files hold no bitsandbytes weights, and %s is none".formatted(name));
  }

  @Override
  public Tensor read(String name, DType dtype) {
    GgufTensorInfo info = tensors.get(name);
    try (TensorScope scope = TensorScope.open()) {
      // Norms may be stored plus 1, which a small type would round.
      DType exact = info.shape().length == 1 ? DType.FLOAT32 : dtype;
      return scope.moveToOuter(layout.inModel(name, plain(info, exact)).to(dtype));
    }
  }

  private Tensor plain(GgufTensorInfo info, DType dtype) {
    Optional<DType> type = plainType(info.type());
    if (type.isPresent()) {
      return mapped.tensor(info.offset(), type.get(), info.shape()).to(dtype);
    }
    Tensor blocks = mapped.tensor(info.offset(), DType.UINT8, info.byteSize());
    Tensor value = DEQUANTIZE.call(blocks, info.type().id(), info.shape(), dtype);
    mapped.release(info.offset(), info.byteSize());
    return value;
  }

  private static Optional<DType> plainType(GgmlType type) {
    return switch (type) {
      case F32 -> Optional.of(DType.FLOAT32);
      case F16 -> Optional.of(DType.FLOAT16);
      case BF16 -> Optional.of(DType.BFLOAT16);
      default -> Optional.empty();
    };
  }

  @Override
  public void release(String name) {
    GgufTensorInfo info = tensors.get(name);
    mapped.release(info.offset(), info.byteSize());
  }

  @Override
  public String description() {
    return file.path().toString();
  }

  @Override
  public void close() {
    mapped.close();
  }
}
