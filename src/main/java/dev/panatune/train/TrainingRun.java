package dev.panatune.train;

import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.TrainingException;
import dev.panatune.eval.Evaluation;
import dev.panatune.eval.Evaluator;
import dev.panatune.format.AtomicDirectory;
import dev.panatune.format.Manifest;
import dev.panatune.tensor.Rng;
import dev.panatune.train.TrainingPlan.Task;
import dev.panatune.train.callback.LogEntry;
import dev.panatune.train.callback.TrainerCallback;
import dev.panatune.train.callback.TrainingProgress;
import dev.panatune.train.schedule.LearningRateSchedule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Consumer;

/** The loop of a run: updates, and what is due between them. */
final class TrainingRun {
  private final RunParts parts;
  private final RunState state;
  private final TrainingPlan plan;
  private final TrainingArguments arguments;
  private final List<Example> evaluation;
  private final List<TrainerCallback> callbacks;
  private final StopSignal stop;
  private final StepRunner steps;
  private final LearningRateSchedule schedule;
  private final Stopwatch stopwatch;
  private Optional<Path> newest;

  TrainingRun(
      RunParts parts,
      List<Example> evaluation,
      List<TrainerCallback> callbacks,
      StopSignal stop,
      Optional<Path> resumedFrom) {
    this.parts = parts;
    this.state = parts.state();
    this.plan = parts.plan();
    this.arguments = plan.arguments();
    this.evaluation = evaluation;
    this.callbacks = callbacks;
    this.stop = stop;
    this.newest = resumedFrom;
    this.schedule = arguments.schedule(plan.maxSteps());
    this.stopwatch = new Stopwatch(state.step);
    this.steps =
        new StepRunner(
            TrainingPass.of(parts.model().model(), arguments),
            parts.optimizer(),
            arguments,
            state.scaler);
  }

  TrainResult run() {
    tell(callback -> callback.onTrainBegin(progress()));
    if (state.step == 0 && newest.isEmpty() && arguments.evaluatesFirst() && !stop.isRequested()) {
      evaluate();
    }
    parts.model().setTraining(true);
    while (state.step < plan.maxSteps() && !stop.isRequested()) {
      step();
    }
    boolean stopped = state.step < plan.maxSteps();
    if (stopped) {
      saveIfNew();
    } else {
      finish();
    }
    tell(callback -> callback.onTrainEnd(progress()));
    return new TrainResult(
        state.step,
        state.totalLoss / Math.max(1, state.step),
        stopped,
        newest,
        bestCheckpoint(),
        state.history);
  }

  private void step() {
    double learningRate = schedule.at(state.scheduledSteps);
    stopwatch.begin();
    StepResult result = steps.run(state.step + 1, parts.data().of(state.step), learningRate);
    stopwatch.end(result, learningRate);
    state.add(result, arguments.includeNumInputTokensSeen());
    tell(callback -> callback.onStepEnd(progress()));
    if (plan.isDue(Task.LOG, state.step)) {
      log(
          state.takeLog(
              result,
              learningRate,
              accuracyName(),
              arguments.includeNumInputTokensSeen() != TokenCounting.NO));
    }
    boolean better = plan.isDue(Task.EVALUATE, state.step) && evaluate();
    if (plan.isDue(Task.SAVE, state.step)
        || better && arguments.saveStrategy() == SaveStrategy.BEST) {
      save();
    }
  }

  private String accuracyName() {
    return parts.model().model().config().classifier().isPresent()
        ? "accuracy"
        : "mean_token_accuracy";
  }

  /** Returns whether the model is better than at all evaluations before. */
  private boolean evaluate() {
    tell(callback -> callback.onEvaluationBegin(progress()));
    parts.model().setTraining(false);
    byte[] random = Rng.state();
    Evaluation result =
        Evaluator.measure(
            parts.model().model(),
            evaluation,
            arguments.perDeviceEvalBatchSize(),
            arguments.precision().autocast());
    Rng.restore(random);
    parts.model().setTraining(true);
    if (!Double.isFinite(result.loss())) {
      throw new TrainingException(
          "the evaluation's loss is "
              + result.loss()
              + " after step "
              + state.step
              + "; try a lower learning_rate or a wider type (bf16 instead of fp16), and look for"
              + " NaN in the model's own weights");
    }
    SequencedMap<String, Double> values = new LinkedHashMap<>();
    result.metrics().forEach((name, value) -> values.put("eval_" + name, value));
    int batches = Math.ceilDiv(evaluation.size(), arguments.perDeviceEvalBatchSize());
    values.put("eval_runtime", result.seconds());
    values.put("eval_samples_per_second", result.examples() / result.seconds());
    values.put("eval_steps_per_second", batches / result.seconds());
    log(values);
    return isBest(values);
  }

  private boolean isBest(SequencedMap<String, Double> values) {
    boolean counts =
        arguments.loadBestModelAtEnd()
            || arguments.saveStrategy() == SaveStrategy.BEST
            || arguments.metricForBestModel().isPresent();
    if (!counts || state.step == 0) {
      return false;
    }
    Double value = values.get(arguments.bestMetric());
    if (value == null) {
      throw new ConfigurationException(
          "metric_for_best_model is '"
              + arguments.metricForBestModel().orElse("loss")
              + "', which an evaluation does not give; it gives "
              + values.keySet());
    }
    boolean better =
        state.bestMetric.isEmpty()
            || (arguments.bestIsGreatest()
                ? value > state.bestMetric.getAsDouble()
                : value < state.bestMetric.getAsDouble());
    if (better) {
      state.bestMetric = OptionalDouble.of(value);
      state.bestStep = OptionalInt.of(state.step);
    }
    return better;
  }

  private void save() {
    Path target = CheckpointDirectory.of(arguments.outputDir(), state.step);
    if (Files.exists(target.resolve(Manifest.FILE_NAME))) {
      // It is damaged, or of a run that this one, going on from an older one, leaves behind.
      AtomicDirectory.delete(target);
    }
    Checkpoint.write(target, parts);
    newest = Optional.of(target);
    arguments
        .saveTotalLimit()
        .ifPresent(limit -> {
          Set<Path> kept = new LinkedHashSet<>(Set.of(target));
          bestCheckpoint().ifPresent(kept::add);
          CheckpointDirectory.deleteOldest(arguments.outputDir(), limit, kept);
        });
    tell(callback -> callback.onSave(progress(), target));
  }

  private void saveIfNew() {
    Path target = CheckpointDirectory.of(arguments.outputDir(), state.step);
    if (state.step > stopwatch.startStep && !newest.equals(Optional.of(target))) {
      save();
    }
  }

  private void finish() {
    double seconds = stopwatch.secondsSinceCreation();
    int made = state.step - stopwatch.startStep;
    SequencedMap<String, Double> values = new LinkedHashMap<>();
    values.put("train_runtime", seconds);
    values.put("train_samples_per_second", stopwatch.examples / seconds);
    values.put("train_steps_per_second", made / seconds);
    values.put("train_tokens_per_second", stopwatch.tokens / seconds);
    values.put("train_loss", state.totalLoss / state.step);
    log(values);
    if (arguments.loadBestModelAtEnd()) {
      bestCheckpoint().ifPresent(parts.model()::load);
    }
  }

  private Optional<Path> bestCheckpoint() {
    return state.bestStep.isEmpty()
        ? Optional.empty()
        : Optional.of(CheckpointDirectory.of(arguments.outputDir(), state.bestStep.getAsInt()))
            .filter(Files::isDirectory);
  }

  private void log(SequencedMap<String, Double> values) {
    LogEntry entry = new LogEntry(state.step, plan.epochsAfter(state.step), values);
    state.history.add(entry);
    tell(callback -> callback.onLog(progress(), entry));
  }

  private void tell(Consumer<TrainerCallback> event) {
    callbacks.forEach(event);
  }

  private TrainingProgress progress() {
    return new TrainingProgress(
        state.step,
        plan.maxSteps(),
        stopwatch.startStep,
        plan.epochsAfter(state.step),
        stopwatch.lastLoss,
        stopwatch.lastLearningRate,
        stopwatch.tokens,
        stopwatch.trainingNanos,
        Collections.unmodifiableList(state.history));
  }
}
