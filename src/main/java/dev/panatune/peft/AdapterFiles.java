package dev.panatune.peft;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.ContainedPath;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.format.WeightStore;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The two files of an adapter, as PEFT writes and reads them. */
final class AdapterFiles {
  static final String CONFIG = "adapter_config.json";
  private static final String NAME = "adapter_model";
  static final String WEIGHTS = NAME + ".safetensors";

  /** Beside PEFT's two files, where these are not enough to go on training. */
  private static final String TRAINING_STATE = "prompt_encoder.safetensors";

  private static final String PREFIX = "base_model.model.";
  private static final int SHOWN = 5;

  private AdapterFiles() {}

  /** Parameters of a model under the keys that a file has them under. */
  static SequencedMap<String, Tensor> keysOf(Map<String, Tensor> parameters) {
    SequencedMap<String, Tensor> keys = new LinkedHashMap<>();
    parameters.forEach((name, tensor) -> keys.put(PREFIX + name, tensor));
    return keys;
  }

  /** Where PEFT puts an adapter of a name; the folder is made. */
  static Path folder(Path directory, String name) {
    if (name.equals(PeftModel.DEFAULT)) {
      return directory;
    }
    try {
      return Files.createDirectories(directory.resolve(name));
    } catch (IOException e) {
      throw new FormatException(directory.resolve(name) + " cannot be made: " + e.getMessage(), e);
    }
  }

  /** The folders of adapters in a directory, by name. */
  static SequencedMap<String, Path> folders(Path directory) {
    SequencedMap<String, Path> found = new LinkedHashMap<>();
    if (Files.isRegularFile(directory.resolve(CONFIG))) {
      found.put(PeftModel.DEFAULT, directory);
    }
    try (Stream<Path> inside = Files.list(directory)) {
      inside
          .filter(path -> Files.isRegularFile(path.resolve(CONFIG)))
          .sorted()
          .forEach(path -> found.put(path.getFileName().toString(), path));
    } catch (IOException e) {
      throw new FormatException(directory + " cannot be read: " + e.getMessage(), e);
    }
    return found;
  }

  static void write(
      Path directory, Map<String, Object> options, String baseModel, Map<String, Tensor> tensors) {
    TensorFile.write(directory.resolve(WEIGHTS), tensors);

    Map<String, Object> json = new TreeMap<>(options);
    json.put("auto_mapping", null);
    json.put("base_model_name_or_path", baseModel);
    json.put("inference_mode", true);
    json.put("revision", null);
    AtomicFiles.writeString(directory.resolve(CONFIG), prettyJson(json));
  }

  private static Map<String, Object> json(Path directory) {
    Path file = directory.resolve(CONFIG);
    if (!Files.isRegularFile(file)) {
      throw new FormatException(directory + " holds no " + CONFIG + ": it is not a PEFT adapter");
    }
    return StrictJson.readObject(ContainedPath.inside(file));
  }

  static TaskType readTask(Path directory) {
    boolean classifies = TaskType.SEQ_CLS.name().equals(json(directory).get("task_type"));
    return classifies ? TaskType.SEQ_CLS : TaskType.CAUSAL_LM;
  }

  static int readLabels(Path directory) {
    Path file = WeightStore.find(directory, NAME, NAME);
    try (TensorScope _ = TensorScope.open();
        WeightStore store = WeightStore.open(file)) {
      return store.tensors().entrySet().stream()
          .filter(entry ->
              WholeParameters.CLASSIFIER_HEADS.stream()
                  .anyMatch(head -> entry.getKey().endsWith("." + head + ".weight")))
          .mapToInt(entry -> (int) entry.getValue().size(0))
          .findFirst()
          .orElseThrow(() ->
              new FormatException(
                  file + " has no head of a classifier, though its task_type is SEQ_CLS"));
    }
  }

  static PeftConfig readConfig(Path directory) {
    Path file = directory.resolve(CONFIG);
    Map<String, Object> json = json(directory);
    if (!json.containsKey("peft_type") && !BottleneckFiles.isOne(json)) {
      throw new FormatException(file + " has no peft_type");
    }
    try {
      return BottleneckFiles.isOne(json)
          ? BottleneckFiles.config(json)
          : PeftConfig.fromAdapterConfig(json);
    } catch (ConfigurationException e) {
      throw new FormatException(file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Reads the tensors, which must be those of {@code expected} in name and shape. As in PEFT, a key
   * may lack the prefix.
   *
   * @param optional what else there may be
   * @return by the expected keys, in the innermost scope
   */
  static Map<String, Tensor> readTensors(
      Path directory, Map<String, Tensor> expected, Map<String, Tensor> optional) {
    return fitting(WeightStore.find(directory, NAME, NAME), expected, optional);
  }

  /** Writes what {@link Adapter#trainingState} gives, if it gives anything. */
  static void writeTrainingState(Path directory, Map<String, Tensor> state) {
    if (!state.isEmpty()) {
      TensorFile.write(directory.resolve(TRAINING_STATE), state);
    }
  }

  /** Reads it again; in the innermost scope. */
  static Map<String, Tensor> readTrainingState(Path directory, Map<String, Tensor> expected) {
    Path file = directory.resolve(TRAINING_STATE);
    if (!Files.isRegularFile(file)) {
      throw new FormatException(
          "%s holds no %s: the prefix was made by a projection that PEFT's files do not keep, so"
                  .formatted(directory, TRAINING_STATE)
              + " it can be used but not trained on");
    }
    return fitting(file, expected, Map.of());
  }

  /** A file's tensors, which must be the expected ones in name and shape, and may be others. */
  static Map<String, Tensor> fitting(
      Path file, Map<String, Tensor> expected, Map<String, Tensor> optional) {
    Map<String, Tensor> found;
    try (WeightStore store = WeightStore.open(file)) {
      found = store.tensors();
    }
    Map<String, Tensor> result = new LinkedHashMap<>();
    Map<String, Tensor> missing = new LinkedHashMap<>(expected);
    Map<String, Tensor> unexpected = new LinkedHashMap<>();
    found.forEach((key, tensor) -> {
      String name = expected.containsKey(key) || optional.containsKey(key) ? key : PREFIX + key;
      Tensor required = missing.remove(name);
      Tensor wanted = required == null ? optional.get(name) : required;
      if (wanted == null) {
        unexpected.put(key, tensor);
      } else {
        checkShape(file, key, tensor, wanted);
        result.put(name, tensor);
      }
    });
    if (!missing.isEmpty() || !unexpected.isEmpty()) {
      throw new FormatException(
          file
              + " does not fit the model."
              + described(" Missing: ", missing)
              + described(" Unexpected: ", unexpected)
              + " Was the adapter made for another base?");
    }
    return result;
  }

  private static void checkShape(Path file, String key, Tensor found, Tensor wanted) {
    if (!Arrays.equals(found.shape(), wanted.shape())) {
      throw new FormatException(
          "%s: %s has shape %s, but this model needs %s: the adapter was made for another base"
              .formatted(
                  file, key, Arrays.toString(found.shape()), Arrays.toString(wanted.shape())));
    }
  }

  private static String described(String title, Map<String, Tensor> tensors) {
    if (tensors.isEmpty()) {
      return "";
    }
    String first =
        tensors.entrySet().stream()
            .limit(SHOWN)
            .map(entry -> entry.getKey() + " " + Arrays.toString(entry.getValue().shape()))
            .collect(Collectors.joining(", "));
    int more = tensors.size() - SHOWN;
    return title + first + (more > 0 ? " and " + more + " more." : ".");
  }

  static String prettyJson(Map<String, Object> json) {
    DefaultIndenter lines = new DefaultIndenter("  ", "\n");
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter().withObjectIndenter(lines).withArrayIndenter(lines);
    try {
      return new ObjectMapper().writer(printer).writeValueAsString(json) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("an adapter's configuration cannot be written as JSON", e);
    }
  }
}
