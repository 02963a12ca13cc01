package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.AtomicDirectory;
import dev.panatune.format.AtomicFiles;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.quant.BitsAndBytesConfig;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.text.Tokenizer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Saves a model as a Hugging Face directory that transformers loads: config.json, safetensors (in
 * shards over 5 GB), generation_config.json and the tokenizer's files.
 */
public final class ModelSaver {
  private final CausalLM model;
  private final Optional<Tokenizer> tokenizer;
  private final Map<String, Object> generationConfig;
  private final DType dtype;
  private final boolean cast;

  /**
   * Creates a saver.
   *
   * @param generationConfig what generation_config.json is to say; empty for no such file
   * @param dtype what dense weights are stored as; 4-bit ones stay as they are
   */
  public ModelSaver(
      CausalLM model,
      Optional<Tokenizer> tokenizer,
      Map<String, Object> generationConfig,
      DType dtype) {
    this(model, tokenizer, generationConfig, dtype, true);
  }

  private ModelSaver(
      CausalLM model,
      Optional<Tokenizer> tokenizer,
      Map<String, Object> generationConfig,
      DType dtype,
      boolean cast) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.generationConfig = generationConfig;
    this.dtype = dtype;
    this.cast = cast;
  }

  /**
   * Creates a saver that stores every weight as it is: of a model that is trained in part, the
   * masters in float32 (which config.json names) and the rest in the type that it came in.
   */
  public static ModelSaver ofTrained(PretrainedModel pretrained) {
    return new ModelSaver(
        pretrained.model(),
        pretrained.optionalTokenizer(),
        pretrained.generationConfig(),
        DType.FLOAT32,
        false);
  }

  /** Returns the name under which a model's parameter is stored. */
  public static String storedName(ModelConfig config, String parameter) {
    return new StoredNames(config.family()).stored(parameter);
  }

  /** Saves a model and its tokenizer, whole or not at all. */
  public static void save(CausalLM model, Tokenizer tokenizer, Path directory, DType dtype) {
    new ModelSaver(model, Optional.of(tokenizer), Map.of(), dtype).save(directory);
  }

  /**
   * Saves a directory, whole or not at all.
   *
   * @throws ConfigurationException if the model holds adapters, or the directory other files
   */
  public void save(Path directory) {
    WeightFiles weights = weights();
    try (AtomicDirectory saving = AtomicDirectory.create(directory)) {
      write(saving.path(), weights);
      saving.commit();
    }
  }

  /**
   * Saves the files into a directory that is there, beside what else it holds; each file is whole
   * or not there.
   *
   * @throws ConfigurationException if the model holds adapters
   */
  public void saveInto(Path directory) {
    write(directory, weights());
  }

  private void write(Path directory, WeightFiles weights) {
    weights.write(directory);
    AtomicFiles.writeString(directory.resolve("config.json"), JsonText.of(config()));
    if (!generationConfig.isEmpty()) {
      AtomicFiles.writeString(
          directory.resolve("generation_config.json"), JsonText.of(generationConfig));
    }
    tokenizer.ifPresent(present -> present.save(directory));
  }

  private WeightFiles weights() {
    PlainWeights weights = PlainWeights.of(model);
    StoredNames names = new StoredNames(model.config().family());
    return new WeightFiles(
        renamed(weights.dense(), names),
        renamed(weights.quantized(), names),
        cast ? Optional.of(dtype) : Optional.empty());
  }

  private static <T> Map<String, T> renamed(Map<String, T> values, StoredNames names) {
    Map<String, T> renamed = new LinkedHashMap<>();
    values.forEach((name, value) -> renamed.put(names.stored(name), value));
    return renamed;
  }

  private Map<String, Object> config() {
    Map<String, Object> json = new LinkedHashMap<>(model.config().source());
    json.putIfAbsent("architectures", List.of(model.config().family().architecture()));
    json.remove("torch_dtype");
    json.put("dtype", dtype.torchName());
    json.remove("quantization_config");
    PlainWeights.of(model).quantized().values().stream()
        .findFirst()
        .ifPresent(
            layer -> json.put("quantization_config", BitsAndBytesConfig.toJson(config(layer))));
    return json;
  }

  /** transformers quantises all linear layers but the head, unless it is told which to leave. */
  private QuantConfig config(QuantizedLinear layer) {
    List<String> plain =
        model
            .namedModules()
            .filter(entry ->
                entry.getValue() instanceof LinearLayer
                    && !(entry.getValue() instanceof QuantizedLinear))
            .map(Map.Entry::getKey)
            .toList();
    boolean usual = plain.equals(List.of(model.config().headName()));
    QuantConfig config = layer.weight().config();
    return new QuantConfig(
        config.type(),
        config.blockSize(),
        config.doubleQuant(),
        config.computeDtype(),
        usual ? List.of() : plain);
  }
}
