package dev.panatune.model;

import dev.panatune.format.AtomicDirectory;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.SafetensorsTypes;
import dev.panatune.format.SafetensorsWriter;
import dev.panatune.format.TensorSpec;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes models of random weights as Hugging Face directories, one tensor at a time: so a model may
 * be larger than the memory. What speed and memory depend on is all there; texts are not.
 */
public final class RandomCheckpoint {
  private RandomCheckpoint() {}

  /**
   * Writes a directory, whole or not at all. Weights are normal with the configuration's {@code
   * initializer_range}, norms around 1; the same seed gives the same files. The default generator
   * stays as it was.
   *
   * @param config what transformers calls {@code config.json}
   * @param dtype what the weights are stored as
   */
  public static void write(Map<String, Object> config, Path directory, long seed, DType dtype) {
    ModelConfig read = ModelConfig.fromHuggingFace(config);
    Map<String, Object> json = new LinkedHashMap<>(config);
    json.putIfAbsent("architectures", List.of(read.family().architecture()));
    json.put("dtype", dtype.torchName());
    byte[] generator = Rng.state();
    Rng.seed(seed);
    try (AtomicDirectory saving = AtomicDirectory.create(directory)) {
      writeWeights(read, saving.path().resolve("model.safetensors"), dtype);
      AtomicFiles.writeString(saving.path().resolve("config.json"), JsonText.of(json));
      saving.commit();
    } finally {
      Rng.restore(generator);
    }
  }

  private static void writeWeights(ModelConfig config, Path file, DType dtype) {
    StoredNames names = new StoredNames(config.family());
    List<TensorSpec> specs =
        ShapeRecorder.of(config).shapes().entrySet().stream()
            .map(entry ->
                new TensorSpec(
                    names.stored(entry.getKey()), SafetensorsTypes.of(dtype), entry.getValue()))
            .toList();
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, specs, Map.of("format", "pt"))) {
      for (TensorSpec spec : specs) {
        try (TensorScope _ = TensorScope.open()) {
          writer.append(spec.name(), weight(spec, config).to(dtype).segment());
        }
      }
      writer.commit();
    }
  }

  private static Tensor weight(TensorSpec spec, ModelConfig config) {
    Tensor noise = Tensor.randn(DType.FLOAT32, spec.shape()).mul(config.initializerRange());
    boolean scalesByItself =
        spec.shape().length == 1
            && !spec.name().endsWith(".bias")
            && config.norm().kind() != NormConfig.Kind.RMS_ONE_PLUS;
    return scalesByItself ? noise.add(Tensor.ones(DType.FLOAT32, spec.shape())) : noise;
  }
}
