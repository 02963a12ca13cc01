package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Consumer;

/** Whether a checkpoint can be gone on from with this run's data, arguments and kernels. */
final class ResumeCheck {
  /** The version of the state files that this class compares and {@link StateFiles} writes. */
  static final int VERSION = 1;

  /** The step's place in the data means nothing under other values of these. */
  private static final List<String> PLACING =
      List.of(
          "per_device_train_batch_size",
          "gradient_accumulation_steps",
          "dataloader_drop_last",
          "train_sampling_strategy");

  /** Other values of these leave the trained weights as they are. */
  private static final Set<String> HARMLESS =
      Set.of(
          "output_dir",
          "overwrite_output_dir",
          "per_device_eval_batch_size",
          "logging_strategy",
          "logging_steps",
          "logging_first_step",
          "eval_strategy",
          "eval_steps",
          "eval_delay",
          "eval_on_start",
          "save_strategy",
          "save_steps",
          "save_total_limit",
          "gradient_checkpointing",
          "include_num_input_tokens_seen",
          "disable_tqdm",
          "resume_from_checkpoint",
          "data_seed");

  private ResumeCheck() {}

  /** Where the run stands in its data, and which data it is. */
  static SequencedMap<String, Object> dataFacts(RunParts run) {
    int step = run.state().step;
    SequencedMap<String, Object> facts = new LinkedHashMap<>();
    facts.put("epoch", run.plan().epochOf(step));
    facts.put("used_of_epoch", run.data().usedOfEpoch(step));
    facts.put("examples", run.data().size());
    facts.put("fingerprint", Long.toHexString(run.data().fingerprint()));
    facts.put("order_seed", run.plan().arguments().orderSeed());
    return facts;
  }

  /**
   * Compares.
   *
   * @param say is told what makes the resumed run another than the one that was stopped
   * @throws ConfigurationException if the place in the data is lost
   */
  static void check(JsonState resume, JsonState saved, RunParts run, Consumer<String> say) {
    int version = resume.at("version").integer();
    if (version != VERSION) {
      throw new FormatException(
          "the checkpoint has version " + version + "; this Panatune resumes from " + VERSION);
    }
    checkData(resume.at("data"), run);
    Map<String, Object> now = run.plan().arguments().toOptions();
    Map<String, String> before = words(saved);
    for (String name : PLACING) {
      if (!now.get(name).toString().equals(before.get(name))) {
        throw new ConfigurationException(
            "%s is %s, and was %s when the checkpoint was written: its place in the data would be"
                    .formatted(name, now.get(name), before.get(name))
                + " lost; resume with the same value");
      }
    }
    now.forEach((name, value) -> {
      if (!HARMLESS.contains(name) && !value.toString().equals(before.get(name))) {
        say.accept(
            "%s is %s, and was %s when the checkpoint was written; the run goes on with %s"
                .formatted(name, value, before.get(name), value));
      }
    });
    checkLength(resume, run);
    String kernels = KernelChoice.current().difference(words(resume.at("kernels")));
    if (!kernels.isEmpty()) {
      say.accept(
          "the checkpoint was written under other kernels ("
              + kernels
              + "): the run goes on, but its last bits may differ from an unbroken one's");
    }
  }

  private static void checkData(JsonState data, RunParts run) {
    Map<String, String> saved = words(data);
    dataFacts(run)
        .forEach((name, value) -> {
          boolean place = name.equals("epoch") || name.equals("used_of_epoch");
          if (!place && !value.toString().equals(saved.get(name))) {
            throw new ConfigurationException(
                "the checkpoint was written on other training data (%s %s, now %s); resume with"
                        .formatted(name, saved.get(name), value)
                    + " the same data, order and seed, or start a new run from the checkpoint's"
                    + " weights");
          }
        });
  }

  private static void checkLength(JsonState resume, RunParts run) {
    int step = resume.at("step").integer();
    int maxSteps = run.plan().maxSteps();
    if (step > maxSteps) {
      throw new ConfigurationException(
          "the checkpoint was written after "
              + step
              + " steps, and this run has "
              + maxSteps
              + "; raise num_train_epochs or max_steps, or resume from an earlier one");
    }
  }

  private static Map<String, String> words(JsonState object) {
    Map<String, String> words = new LinkedHashMap<>();
    object.members().forEach((name, value) -> words.put(name, value.word()));
    return words;
  }
}
