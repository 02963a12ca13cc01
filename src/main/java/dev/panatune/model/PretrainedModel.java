package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.GgmlType;
import dev.panatune.tensor.DType;
import dev.panatune.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * A model with what belongs to it: its tokenizer, its defaults for generation, and where it came
 * from. The caller closes it.
 */
public final class PretrainedModel implements AutoCloseable {
  private final String reference;
  private final CausalLM model;
  private final Optional<Tokenizer> tokenizer;
  private final Map<String, Object> generationConfig;

  PretrainedModel(
      String reference,
      CausalLM model,
      Optional<Tokenizer> tokenizer,
      Map<String, Object> generationConfig) {
    this.reference = reference;
    this.model = model;
    this.tokenizer = tokenizer;
    this.generationConfig = Collections.unmodifiableMap(new LinkedHashMap<>(generationConfig));
  }

  /**
   * Loads a Hugging Face directory (config.json, safetensors, tokenizer.json) or a GGUF file.
   *
   * <p>Weights that are stored as they are wanted are used in place, mapped: the files must stay as
   * they are while the model is open.
   *
   * @throws FormatException if files are missing or damaged, or do not fit together
   * @throws ConfigurationException if the model or an option is not supported
   */
  public static PretrainedModel load(Path path, LoadOptions options) {
    return load(path, path.toString(), options);
  }

  /**
   * Loads a model as {@link #load(Path, LoadOptions)} does.
   *
   * @param reference what the user called it; adapters of it will say so
   */
  public static PretrainedModel load(Path path, String reference, LoadOptions options) {
    if (Files.isDirectory(path)) {
      return ModelLoader.directory(path, reference, options);
    }
    if (!Files.exists(path)) {
      throw new FormatException("There is no model at %s".formatted(path));
    }
    return ModelLoader.gguf(path, reference, options, List.of());
  }

  /** Returns what the user called the model. */
  public String reference() {
    return reference;
  }

  /** Returns the model. */
  public CausalLM model() {
    return model;
  }

  /**
   * Returns the tokenizer.
   *
   * @throws FormatException if the model has none
   */
  public Tokenizer tokenizer() {
    return tokenizer.orElseThrow(() ->
        new FormatException(
            "%s has no tokenizer.json; put the one of its base model beside the weights"
                .formatted(reference)));
  }

  Optional<Tokenizer> optionalTokenizer() {
    return tokenizer;
  }

  /** Returns what {@code generation_config.json} says, empty where there is none. */
  public Map<String, Object> generationConfig() {
    return generationConfig;
  }

  /**
   * Returns the ids that end a text: what the generation configuration says, or else the model's,
   * and with it the tokens that the tokenizer knows to end a turn or a text.
   */
  public Set<Integer> eosTokenIds() {
    List<Integer> stated =
        new ConfigFields("generation_config.json", generationConfig).tokenIds("eos_token_id");
    Set<Integer> ids = new TreeSet<>(stated.isEmpty() ? model.config().eosTokenIds() : stated);
    tokenizer.map(Tokenizer::eosIds).ifPresent(ids::addAll);
    return Collections.unmodifiableSet(ids);
  }

  /**
   * Saves the model as a Hugging Face directory, whole or not at all.
   *
   * @param dtype what dense weights are stored as
   */
  public void save(Path directory, DType dtype) {
    new ModelSaver(model, tokenizer, generationConfig, dtype).save(directory);
  }

  /**
   * Saves the model as a GGUF file with its tokenizer and chat template, whole or not at all.
   *
   * @param type of the matrices: F32, F16, BF16 or Q8_0; all else is stored as F32. Weights in 4
   *     bits are decoded
   * @throws ConfigurationException if the model or its tokenizer has no form in GGUF
   */
  public void saveGguf(Path file, GgmlType type) {
    new GgufSaver(model, tokenizer, type).save(file);
  }

  /** Frees the model and its tokenizer. */
  @Override
  public void close() {
    model.close();
    tokenizer.ifPresent(Tokenizer::close);
  }
}
