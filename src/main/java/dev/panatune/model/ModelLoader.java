package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.ContainedPath;
import dev.panatune.format.GgufFile;
import dev.panatune.format.StrictJson;
import dev.panatune.quant.BitsAndBytesConfig;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;

/** Reads models in the forms that they come in. */
final class ModelLoader {
  private ModelLoader() {}

  static PretrainedModel directory(Path directory, String reference, LoadOptions options) {
    return directory(directory, reference, options, List.of());
  }

  /**
   * Reads a directory.
   *
   * @param classes of a classifier whose head is made afresh where the files have none; empty for
   *     what the files are
   */
  static PretrainedModel directory(
      Path directory, String reference, LoadOptions options, List<String> classes) {
    ModelConfig config =
        ModelConfig.fromHuggingFace(
            StrictJson.readObject(ContainedPath.inside(directory.resolve("config.json"))));
    try (DirectoryCheckpoint checkpoint = DirectoryCheckpoint.open(directory)) {
      CausalLM model =
          classes.isEmpty()
              ? build(checkpoint, checkpoint.withActualHead(config), options)
              : classifier(
                  checkpoint,
                  config.asClassifier(classes, padId(tokenizer(directory), config)),
                  options);
      return complete(
          reference,
          model,
          () -> tokenizer(directory),
          optionalJson(directory.resolve("generation_config.json")));
    }
  }

  /** What rows are filled up with where the configuration does not say. */
  private static OptionalInt padId(Optional<Tokenizer> tokenizer, ModelConfig config) {
    try {
      OptionalInt pad = tokenizer.map(Tokenizer::padId).orElse(OptionalInt.empty());
      return pad.isPresent() ? pad : config.eosTokenIds().stream().mapToInt(id -> id).findFirst();
    } finally {
      tokenizer.ifPresent(Tokenizer::close);
    }
  }

  private static CausalLM classifier(
      Checkpoint checkpoint, ModelConfig config, LoadOptions options) {
    boolean fresh = !checkpoint.shapes().containsKey("score.weight");
    return build(fresh ? new FreshHead(checkpoint, config) : checkpoint, config, options);
  }

  /**
   * Reads a GGUF file.
   *
   * @param classes of a classifier, whose head is made afresh; empty for a language model
   */
  static PretrainedModel gguf(
      Path path, String reference, LoadOptions options, List<String> classes) {
    GgufFile file = GgufFile.open(path);
    ModelConfig config = ModelConfig.fromHuggingFace(GgufConfig.huggingFace(file));
    try (GgufCheckpoint checkpoint = new GgufCheckpoint(file, config)) {
      CausalLM model =
          classes.isEmpty()
              ? build(checkpoint, config, options)
              : classifier(
                  checkpoint,
                  config.asClassifier(classes, padId(tokenizer(file), config)),
                  options);
      return complete(reference, model, () -> tokenizer(file), GgufConfig.generation(file));
    }
  }

  private static Optional<Tokenizer> tokenizer(GgufFile file) {
    return file.metadata().containsKey("tokenizer.ggml.model")
        ? Optional.of(Tokenizer.fromGguf(file.metadata()))
        : Optional.empty();
  }

  private static CausalLM build(Checkpoint stored, ModelConfig config, LoadOptions options) {
    Checkpoint checkpoint = new NamedCheckpoint(stored, config.family());
    DType dtype = options.dtype().or(config::storedDtype).orElseGet(checkpoint::storedDtype);
    if (!dtype.isFloatingPoint()) {
      throw new ConfigurationException(
          "A model's dtype is float32, bfloat16 or float16, not " + dtype.torchName());
    }
    Optional<QuantConfig> storedConfig = quantization(config);
    Optional<QuantConfig> wanted = options.quantization();
    requireConsistent(storedConfig, wanted);
    CheckpointFit.check(checkpoint, config);
    CheckpointSource source =
        new CheckpointSource(
            checkpoint,
            dtype,
            options.device(),
            wanted.or(() -> storedConfig).map(QuantConfig::computeDtype).orElse(dtype),
            storedConfig.isPresent() ? Optional.empty() : wanted);
    try {
      return new CausalLM(config, source);
    } catch (RuntimeException e) {
      source.abandon();
      throw e;
    }
  }

  private static PretrainedModel complete(
      String reference,
      CausalLM model,
      Supplier<Optional<Tokenizer>> tokenizer,
      Map<String, Object> generationConfig) {
    try {
      return new PretrainedModel(reference, model, tokenizer.get(), generationConfig);
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
  }

  private static Optional<QuantConfig> quantization(ModelConfig config) {
    return new ConfigFields("config.json", config.source())
        .map("quantization_config")
        .flatMap(BitsAndBytesConfig::parse);
  }

  private static void requireConsistent(
      Optional<QuantConfig> stored, Optional<QuantConfig> wanted) {
    if (stored.isPresent() && wanted.isPresent() && !sameWeights(stored.get(), wanted.get())) {
      throw new ConfigurationException(
          ("The model is stored in 4 bits already, as %s with double quantisation %s; leave"
                  + " load_in_4bit out, or ask for the same")
              .formatted(stored.get().type().id(), stored.get().doubleQuant() ? "on" : "off"));
    }
  }

  private static boolean sameWeights(QuantConfig a, QuantConfig b) {
    return a.type() == b.type() && a.doubleQuant() == b.doubleQuant();
  }

  private static Optional<Tokenizer> tokenizer(Path directory) {
    Path file = directory.resolve("tokenizer.json");
    return Files.exists(file) ? Optional.of(Tokenizer.fromFile(directory)) : Optional.empty();
  }

  private static Map<String, Object> optionalJson(Path file) {
    return Files.exists(file) ? StrictJson.readObject(file) : Map.of();
  }
}
