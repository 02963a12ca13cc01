package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.GgmlType;
import dev.panatune.format.GgufEncoding;
import dev.panatune.format.GgufTensorSpec;
import dev.panatune.format.GgufWriter;
import dev.panatune.nn.Activation;
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
import java.util.OptionalInt;
import java.util.function.Supplier;

/**
 * Saves a model as a GGUF file, laid out as llama.cpp's converter does it: matrices in the type
 * that is asked for, all else in F32; with the tokenizer and the chat template.
 */
final class GgufSaver {
  /** The families that have a form in GGUF here, and the name of it. */
  private static final Map<String, String> ARCHITECTURES =
      Map.of("llama", "llama", "mistral", "llama");

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
    if (!ARCHITECTURES.containsKey(config.modelType())) {
      throw new ConfigurationException(
          "Models of the family %s are not written as GGUF; those of %s are"
              .formatted(config.modelType(), ARCHITECTURES.keySet().stream().sorted().toList()));
    }
    check();
  }

  /** Refuses what GGUF's "llama" cannot say, which is what a mistral model may have beyond it. */
  private void check() {
    if (config.attention().windows().stream().anyMatch(OptionalInt::isPresent)) {
      throw unsupported("a sliding window");
    }
    if (config.mlp().activation() != Activation.SILU) {
      throw unsupported("another activation than silu");
    }
    if (config.positions().ropeOfLayer().stream().anyMatch(OptionalInt::isEmpty)) {
      throw unsupported("layers without positions");
    }
  }

  private ConfigurationException unsupported(String what) {
    return new ConfigurationException(
        "A model of the family %s with %s is not written as GGUF"
            .formatted(config.modelType(), what));
  }

  private RopeConfig rope() {
    return config.positions().ropes().getFirst();
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
    GgmlType kept = shape.length < 2 ? GgmlType.F32 : typeOf(shape[shape.length - 1]);
    tensors.put(new GgufTensorSpec(stored, kept, shape), () -> layout.stored(name, tensor.get()));
  }

  private GgmlType typeOf(long row) {
    return row % type.blockElements() == 0 ? type : GgmlType.F16;
  }

  private void ropeFactors(Map<GgufTensorSpec, Supplier<Tensor>> tensors) {
    if (rope() instanceof RopeConfig.Llama3 rope) {
      float[] factors = GgufRopeFactors.of(rope, config.headDim());
      tensors.put(
          new GgufTensorSpec(GgufRopeFactors.TENSOR, GgmlType.F32, factors.length),
          () -> Tensor.ofFloats(factors, factors.length));
    }
  }

  private Map<String, Object> metadata() {
    String architecture = ARCHITECTURES.get(config.modelType());
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("general.architecture", architecture);
    metadata.put("general.type", "model");
    metadata.put("general.file_type", FILE_TYPES.get(type));
    if (type.isQuantized()) {
      metadata.put("general.quantization_version", 2);
    }
    hyperparameters().forEach((key, value) -> metadata.put(architecture + "." + key, value));
    tokenizer.ifPresent(present -> metadata.putAll(present.ggufMetadata(config.vocabSize())));
    return metadata;
  }

  private Map<String, Object> hyperparameters() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("vocab_size", config.vocabSize());
    values.put("context_length", config.maxPositions());
    values.put("embedding_length", config.hiddenSize());
    values.put("block_count", config.layerCount());
    values.put("feed_forward_length", config.intermediateSize());
    values.put("attention.head_count", config.queryHeads());
    values.put("attention.head_count_kv", config.keyValueHeads());
    values.put("attention.key_length", config.headDim());
    values.put("attention.value_length", config.headDim());
    values.put("attention.layer_norm_rms_epsilon", (float) config.norm().epsilon());
    values.put("rope.dimension_count", config.headDim());
    values.put("rope.freq_base", (float) rope().theta());
    switch (rope()) {
      case RopeConfig.Standard _ -> {}
      case RopeConfig.Llama3 _ -> {} // a tensor of factors says it
      case RopeConfig.Linear linear -> {
        values.put("rope.scaling.type", "linear");
        values.put("rope.scaling.factor", (float) linear.factor());
      }
      default -> throw unsupported("its rope_type");
    }
    return values;
  }
}
