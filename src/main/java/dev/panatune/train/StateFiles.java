package dev.panatune.train;

import dev.panatune.train.callback.LogEntry;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SequencedMap;

/** What the JSON files of a checkpoint say: the state of a run as named values, and back. */
final class StateFiles {
  private StateFiles() {}

  /** The schedule of the learning rate, for people: a resumed run needs none of it. */
  static Map<String, Object> scheduler(RunParts run) {
    TrainingArguments arguments = run.plan().arguments();
    int steps = run.state().scheduledSteps;
    return Map.of(
        "type", TrainingOptions.word(arguments.lrSchedulerType()),
        "base_lr", arguments.learningRate(),
        "last_epoch", steps,
        "last_lr", arguments.schedule(run.plan().maxSteps()).at(steps));
  }

  /** The keys of transformers' {@code TrainerState}. */
  static SequencedMap<String, Object> trainerState(RunParts run) {
    RunState state = run.state();
    TrainingPlan plan = run.plan();
    SequencedMap<String, Object> values = new LinkedHashMap<>();
    values.put("best_global_step", boxed(state.bestStep));
    values.put("best_metric", boxed(state.bestMetric));
    values.put(
        "best_model_checkpoint",
        state.bestStep.isEmpty()
            ? null
            : CheckpointDirectory.of(plan.arguments().outputDir(), state.bestStep.getAsInt())
                .toString());
    values.put("epoch", plan.epochsAfter(state.step));
    values.put("eval_steps", plan.evalSteps());
    values.put("global_step", state.step);
    values.put("is_hyper_param_search", false);
    values.put("is_local_process_zero", true);
    values.put("is_world_process_zero", true);
    values.put("log_history", state.history.stream().map(LogEntry::toMap).toList());
    values.put("logging_steps", plan.loggingSteps());
    values.put("max_steps", plan.maxSteps());
    values.put("num_input_tokens_seen", state.countedTokens);
    values.put("num_train_epochs", plan.epochs());
    values.put("save_steps", plan.saveSteps());
    values.put("stateful_callbacks", Map.of());
    values.put("total_flos", 0.0);
    values.put("train_batch_size", plan.arguments().perDeviceTrainBatchSize());
    values.put("trial_name", null);
    values.put("trial_params", null);
    return values;
  }

  /** What transformers has no key for. */
  static SequencedMap<String, Object> resumeState(RunParts run) {
    RunState state = run.state();
    SequencedMap<String, Object> values = new LinkedHashMap<>();
    values.put("version", ResumeCheck.VERSION);
    values.put("step", state.step);
    values.put("scheduled_steps", state.scheduledSteps);
    values.put("counted_tokens", state.countedTokens);
    values.put("total_loss", state.totalLoss);
    values.put(
        "since_log",
        Map.of(
            "losses", state.sinceLog.losses(),
            "correct", state.sinceLog.correct(),
            "targets", state.sinceLog.targets(),
            "steps", state.sinceLog.steps()));
    values.put("best_metric", boxed(state.bestMetric));
    values.put("best_step", boxed(state.bestStep));
    values.put(
        "scaler", Map.of("scale", state.scaler.scale(), "good_steps", state.scaler.goodSteps()));
    values.put("data", ResumeCheck.dataFacts(run));
    values.put("kernels", KernelChoice.current().facts());
    return values;
  }

  /** Sets {@code state} to what was saved. */
  static void restore(JsonState resume, JsonState trainer, RunState state) {
    state.step = resume.at("step").integer();
    state.scheduledSteps = resume.at("scheduled_steps").integer();
    state.countedTokens = resume.at("counted_tokens").whole();
    state.totalLoss = resume.at("total_loss").number();
    JsonState since = resume.at("since_log");
    state.sinceLog =
        new RunState.SinceLog(
            since.at("losses").number(),
            since.at("correct").whole(),
            since.at("targets").whole(),
            since.at("steps").integer());
    state.bestMetric =
        present(resume.at("best_metric"))
            .map(v -> OptionalDouble.of(v.number()))
            .orElse(OptionalDouble.empty());
    state.bestStep =
        present(resume.at("best_step"))
            .map(v -> OptionalInt.of(v.integer()))
            .orElse(OptionalInt.empty());
    JsonState scaler = resume.at("scaler");
    state.scaler.restore(scaler.at("scale").number(), scaler.at("good_steps").integer());
    state.history.clear();
    state.history.addAll(history(trainer.at("log_history")));
  }

  private static List<LogEntry> history(JsonState lines) {
    return lines.elements().stream().map(StateFiles::entry).toList();
  }

  private static LogEntry entry(JsonState line) {
    SequencedMap<String, Double> values = new LinkedHashMap<>();
    line.members()
        .forEach((key, value) -> {
          if (!key.equals("step") && !key.equals("epoch")) {
            values.put(key, value.number());
          }
        });
    return new LogEntry(line.at("step").integer(), line.at("epoch").number(), values);
  }

  private static Optional<JsonState> present(JsonState value) {
    return value.isNull() ? Optional.empty() : Optional.of(value);
  }

  private static Object boxed(OptionalInt value) {
    return value.isPresent() ? value.getAsInt() : null;
  }

  private static Object boxed(OptionalDouble value) {
    return value.isPresent() ? value.getAsDouble() : null;
  }
}
