package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.GgmlType;
import dev.panatune.format.GgufEncoding;
import dev.panatune.format.GgufTensorSpec;
import dev.panatune.format.GgufWriter;
import dev.panatune.nn.RopeConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Saves a model as a GGUF file, laid out as llama.cpp's converter does it: matrices in the type
 * that is asked for, all else in F32; with the tokenizer and the chat template.
 */
final class GgufSaver {
  /** The table of learned positions, which is never in a smaller type. */
  private static final String POSITIONS = "position_embd.weight";

  /** What {@code general.file_type} says of each type. */
  private static final Map<GgmlType, Integer> FILE_TYPES = new EnumMap<>(GgmlType.class);

  static {
    FILE_TYPES.put(GgmlType.F32, 0);
    FILE_TYPES.put(GgmlType.F16, 1);
    FILE_TYPES.put(GgmlType.Q8_0, 7);
    FILE_TYPES.put(GgmlType.BF16, 32);
  }

  private final CausalLM model;
  private final ModelConfig config;
  private final GgufNames names;
  private final GgufLayout layout;
  private final Optional<Tokenizer> tokenizer;
  private final GgmlType type;

  /**
   * Creates a saver.
   *
   * @param type of the matrices: F32, F16, BF16 or Q8_0 (F16 where the rows are no multiple of 32)
   * @throws ConfigurationException if the type, the family or an option of it has no form in GGUF
   */
  GgufSaver(CausalLM model, Optional<Tokenizer> tokenizer, GgmlType type) {
    this.model = model;
    this.config = model.config();
    names = new GgufNames(config.family());
    layout = new GgufLayout(config);
    this.tokenizer = tokenizer;
    this.type = type;
    if (!FILE_TYPES.containsKey(type)) {
      throw new ConfigurationException(
          "%s is not written; written are %s".formatted(type, FILE_TYPES.keySet()));
    }
    GgufLimits.check(config);
  }

  /** Saves the file, whole or not at all, tensor by tensor. */
  void save(Path file) {
    PlainWeights weights = PlainWeights.of(model);
    Map<GgufTensorSpec, Supplier<Tensor>> tensors = new LinkedHashMap<>();
    weights.dense().forEach((name, tensor) -> put(tensors, name, tensor.shape(), () -> tensor));
    weights
        .quantized()
        .forEach((path, layer) ->
            put(
                tensors,
                path + ".weight",
                layer.weight().shape(),
                () -> layer.weight().dequantize(DType.FLOAT32)));
    ropeFactors(tensors);
    List<GgufTensorSpec> specs = new ArrayList<>(tensors.keySet());
    try (GgufWriter writer = GgufWriter.create(file, metadata(), specs)) {
      tensors.forEach((spec, tensor) -> {
        try (TensorScope _ = TensorScope.open()) {
          Tensor encoded = GgufEncoding.encode(tensor.get(), spec.type());
          writer.append(spec.name(), encoded.segment());
        }
      });
      writer.commit();
    }
  }

  private void put(
      Map<GgufTensorSpec, Supplier<Tensor>> tensors,
      String name,
      long[] shape,
      Supplier<Tensor> tensor) {
    String stored =
        names
            .gguf(name)
            .orElseThrow(() ->
                new ConfigurationException("The parameter %s has no name in GGUF".formatted(name)));
    long[] storedShape = layout.otherShape(name, shape);
    GgmlType kept = typeOf(stored, storedShape);
    tensors.put(
        new GgufTensorSpec(stored, kept, storedShape),
        () -> {
          Tensor value = tensor.get();
          // Norms may be stored plus 1, which a small type would round.
          return layout.stored(name, kept == GgmlType.F32 ? value.to(DType.FLOAT32) : value);
        });
  }

  private GgmlType typeOf(String stored, long[] shape) {
    if (shape.length < 2 || stored.equals(POSITIONS)) {
      return GgmlType.F32;
    }
    return shape[shape.length - 1] % type.blockElements() == 0 ? type : GgmlType.F16;
  }

  private void ropeFactors(Map<GgufTensorSpec, Supplier<Tensor>> tensors) {
    if (config.positions().ropes().isEmpty()) {
      return;
    }
    switch (config.positions().ropes().getFirst()) {
      case RopeConfig.Llama3 rope ->
          put(tensors, GgufRopeFactors.TENSOR, GgufRopeFactors.of(rope, config.headDim()));
      case RopeConfig.LongRope rope -> {
        put(tensors, GgufConfig.LONG_FACTORS, floats(rope.longFactors()));
        put(tensors, GgufConfig.SHORT_FACTORS, floats(rope.shortFactors()));
      }
      default -> {}
    }
  }

  private static void put(
      Map<GgufTensorSpec, Supplier<Tensor>> tensors, String name, float[] factors) {
    tensors.put(
        new GgufTensorSpec(name, GgmlType.F32, factors.length),
        () -> Tensor.ofFloats(factors, factors.length));
  }

  private static float[] floats(List<Double> values) {
    float[] floats = new float[values.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = values.get(i).floatValue();
    }
    return floats;
  }

  private Map<String, Object> metadata() {
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("general.architecture", config.family().ggufArchitecture());
    metadata.put("general.type", "model");
    metadata.put("general.file_type", FILE_TYPES.get(type));
    if (type.isQuantized()) {
      metadata.put("general.quantization_version", 2);
    }
    metadata.putAll(GgufHyperparameters.of(config));
    tokenizer.ifPresent(present ->
        metadata.putAll(
            present.ggufMetadata(config.family().ggufArchitecture(), config.vocabSize())));
    return metadata;
  }
}
