package dev.panatune.run;

import dev.panatune.error.ConfigurationException;
import dev.panatune.peft.TaskType;
import dev.panatune.train.TrainedParameters;
import dev.panatune.train.TrainingArguments;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A run as its YAML describes it, checked.
 *
 * @param model what to start from
 * @param peft what to train beside it; empty for full fine-tuning
 * @param trained what full fine-tuning trains
 * @param data the rows
 * @param training how to train; holds the output directory and the seed too
 * @param merged whether to save the merged model as {@code merged/} as well
 * @param samplePrompts questions to show the model's answers to, before and after
 * @param sampleTokens the most tokens of such an answer
 * @param resolved everything as it holds, defaults included, fit to be written as a run file
 */
public record RunConfig(
    ModelSection model,
    Optional<PeftSection> peft,
    TrainedParameters trained,
    DataSection data,
    TrainingArguments training,
    boolean merged,
    List<String> samplePrompts,
    int sampleTokens,
    Map<String, Object> resolved) {

  private static final int SAMPLE_TOKENS = 40;
  private static final String TRAIN = "train";
  private static final String FREEZE = "freeze";

  /**
   * Reads a run file.
   *
   * @param overrides each {@code section.key=value}
   * @param resume {@code auto} or the checkpoint to go on from; empty to do as the file says
   * @throws ConfigurationException naming the key, what is wrong with it and what it may be
   */
  public static RunConfig read(Path file, List<String> overrides, Optional<String> resume) {
    Path directory = Optional.ofNullable(file.getParent()).orElse(Path.of(""));
    return read(Section.of("", RunFile.read(file, overrides)), directory, resume);
  }

  private static RunConfig read(Section root, Path directory, Optional<String> resume) {
    Section model = required(root, "model");
    Optional<Section> peft = root.section("peft");
    Section data = required(root, "data");
    Section training = root.section("training").orElseGet(() -> Section.of("training", Map.of()));
    String outputDir =
        root.string("output_dir")
            .or(() -> training.string("output_dir"))
            .orElseThrow(
                () -> new ConfigurationException("output_dir is missing: where to save the run"));
    boolean merged = root.bool("merged", false);
    List<String> prompts = root.strings("sample_prompts");
    int sampleTokens = (int) root.integer("sample_max_new_tokens", 1, SAMPLE_TOKENS);
    TrainedParameters trained = trained(training);
    TrainingArguments arguments = trainingArguments(root, training, outputDir, resume);
    root.finish();

    TaskType task = task(model, peft);
    ModelSection modelSection = ModelSection.read(model, task);
    Optional<PeftSection> peftSection =
        peft.map(section -> PeftSection.read(section, directory, task));
    DataSection dataSection = DataSection.read(data, directory, task);
    if (task == TaskType.SEQ_CLS && !prompts.isEmpty()) {
      throw new ConfigurationException("sample_prompts: a classifier (SEQ_CLS) writes no answers");
    }
    check(modelSection, peftSection, dataSection, arguments, merged);
    checkTrained(modelSection, peftSection, trained);

    Map<String, Object> resolved = new LinkedHashMap<>();
    resolved.put("model", model.resolved());
    peft.ifPresent(section -> resolved.put("peft", section.resolved()));
    resolved.put("data", data.resolved());
    resolved.put("training", trainingOptions(arguments, trained));
    resolved.put("output_dir", outputDir);
    resolved.put("seed", arguments.seed());
    resolved.put("merged", merged);
    resolved.put("sample_prompts", prompts);
    resolved.put("sample_max_new_tokens", sampleTokens);
    return new RunConfig(
        modelSection,
        peftSection,
        trained,
        dataSection,
        arguments,
        merged,
        prompts,
        sampleTokens,
        resolved);
  }

  /** The task may be said of the model, or as PEFT's configurations say it. */
  private static TaskType task(Section model, Optional<Section> peft) {
    Optional<String> ofModel = model.string("task_type");
    Optional<String> ofPeft = peft.flatMap(section -> section.string("task_type"));
    if (ofModel.isPresent() && ofPeft.isPresent() && !ofModel.equals(ofPeft)) {
      throw new ConfigurationException(
          "model.task_type is %s and peft.task_type %s; keep one"
              .formatted(ofModel.get(), ofPeft.get()));
    }
    return model.named(() -> TaskType.parse(ofModel.or(() -> ofPeft).orElse(null)));
  }

  /** {@code output_dir}, {@code seed} and {@code overwrite_output_dir} may stand at the top. */
  private static TrainingArguments trainingArguments(
      Section root, Section training, String outputDir, Optional<String> resume) {
    Map<String, Object> options = new LinkedHashMap<>(training.all());
    options.keySet().removeAll(List.of(TRAIN, FREEZE));
    for (String shared : List.of("output_dir", "seed", "overwrite_output_dir")) {
      if (root.has(shared)) {
        if (options.get(shared) != null) {
          throw new ConfigurationException(
              "%s stands at the top and as training.%s; keep the one at the top"
                  .formatted(shared, shared));
        }
        options.put(shared, root.value(shared));
      }
    }
    options.put("output_dir", pathOf(outputDir).toString());
    resume.ifPresent(checkpoint -> options.put("resume_from_checkpoint", checkpoint));
    return training.named(() -> TrainingArguments.of(options));
  }

  private static TrainedParameters trained(Section training) {
    return training.named(
        () -> new TrainedParameters(training.strings(TRAIN), training.strings(FREEZE)));
  }

  private static Map<String, Object> trainingOptions(
      TrainingArguments arguments, TrainedParameters trained) {
    Map<String, Object> options = new LinkedHashMap<>(arguments.toOptions());
    options.keySet().removeAll(List.of("output_dir", "seed", "resume_from_checkpoint"));
    if (!trained.train().isEmpty()) {
      options.put(TRAIN, trained.train());
    }
    if (!trained.freeze().isEmpty()) {
      options.put(FREEZE, trained.freeze());
    }
    return options;
  }

  private static void check(
      ModelSection model,
      Optional<PeftSection> peft,
      DataSection data,
      TrainingArguments training,
      boolean merged) {
    if (peft.isEmpty() && merged) {
      throw new ConfigurationException(
          "merged: true without a peft section: full fine-tuning saves the whole model anyway");
    }
    boolean evaluates = !data.eval().isEmpty() || data.validationSplit() > 0;
    if (!evaluates && training.evaluatesFirst()) {
      throw new ConfigurationException(
          "training.eval_strategy asks for evaluations, but there is nothing to evaluate on; give"
              + " data.eval or data.validation_split");
    }
  }

  private static void checkTrained(
      ModelSection model, Optional<PeftSection> peft, TrainedParameters trained) {
    if (peft.isPresent() && !trained.isAll()) {
      throw new ConfigurationException(
          "training.train and training.freeze choose among the model's own weights, which stay as"
              + " they are beside an adapter; remove them or the peft section (an adapter's own"
              + " choice is target_modules and modules_to_save)");
    }
    if (peft.isEmpty() && model.quantization().isPresent() && trained.isAll()) {
      throw new ConfigurationException(
          "model.load_in_4bit without a peft section: quantised weights cannot be trained; add"
              + " peft, load the model as it is, or name other weights in training.train");
    }
  }

  private static Path pathOf(String outputDir) {
    try {
      return Path.of(outputDir);
    } catch (InvalidPathException e) {
      throw new ConfigurationException("output_dir: '%s' is not a path".formatted(outputDir), e);
    }
  }

  private static Section required(Section root, String key) {
    return root.section(key)
        .orElseThrow(() -> new ConfigurationException("the section " + key + " is missing"));
  }
}
