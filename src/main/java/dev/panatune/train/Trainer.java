package dev.panatune.train;

import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.TrainingException;
import dev.panatune.format.AtomicDirectory;
import dev.panatune.nn.Embedding;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.train.callback.TrainerCallback;
import dev.panatune.train.optim.AdamW;
import dev.panatune.train.optim.BitsandbytesAdamW;
import dev.panatune.train.optim.Optimizer;
import dev.panatune.train.optim.OptimizerType;
import dev.panatune.train.optim.ParameterGroup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Trains a model on examples.
 *
 * <pre>{@code
 * TrainResult result =
 *     Trainer.of(model, arguments)
 *         .trainOn(dataset.examples())
 *         .evaluateOn(heldOut.examples())
 *         .callback(ProgressBar.onStandardError())
 *         .train();
 * }</pre>
 *
 * <p>An update is made from {@code gradient_accumulation_steps} micro-batches; its loss is the mean
 * over the target tokens of all of them. The default random generator is seeded when a run begins.
 * A run happens on the thread that calls {@link #train}, and on that thread's tensors.
 */
public final class Trainer {
  private static final String NEWEST = "auto";

  private final TrainableModel model;
  private final TrainingArguments arguments;
  private final List<TrainerCallback> callbacks = new ArrayList<>();
  private List<Example> training = List.of();
  private List<Example> evaluation = List.of();
  private StopSignal stop = new StopSignal();

  private Trainer(TrainableModel model, TrainingArguments arguments) {
    this.model = model;
    this.arguments = arguments;
  }

  /** A trainer that still needs its examples. */
  public static Trainer of(TrainableModel model, TrainingArguments arguments) {
    return new Trainer(model, arguments);
  }

  /** Sets what is trained on; every example has a target token. */
  public Trainer trainOn(List<Example> examples) {
    training = List.copyOf(examples);
    return this;
  }

  /** Sets what is evaluated on, where the arguments ask for evaluations. */
  public Trainer evaluateOn(List<Example> examples) {
    evaluation = List.copyOf(examples);
    return this;
  }

  /** Adds something that is told of the run; the callbacks are told in the order of adding. */
  public Trainer callback(TrainerCallback callback) {
    callbacks.add(callback);
    return this;
  }

  /** Sets the signal that the run obeys. */
  public Trainer stopSignal(StopSignal signal) {
    stop = signal;
    return this;
  }

  /**
   * Trains from the first update on, or, where the arguments name a checkpoint, from there.
   *
   * @throws ConfigurationException if the arguments do not fit the data or the output directory
   * @throws TrainingException if the loss or a gradient is not a number
   */
  public TrainResult train() {
    requireData();
    TrainingPlan plan = TrainingPlan.of(arguments, training.size());
    AtomicDirectory.removeLeftovers(arguments.outputDir());
    Consumer<String> say = message -> callbacks.forEach(c -> c.onMessage(message));
    Optional<Path> from = arguments.resumeFromCheckpoint().flatMap(name -> resumable(name, say));
    if (arguments.resumeFromCheckpoint().isEmpty()) {
      clearOutput();
    }
    if (model.model().config().dropouts().attention() > 0) {
      say.accept(
          "attention runs as plain operations while training: config.json drops attention weights,"
              + " which the fused operator cannot");
    }
    Rng.seed(arguments.seed());
    try (Optimizer optimizer = optimizer(say)) {
      RunParts parts =
          new RunParts(model, optimizer, new RunState(), plan, new TrainingData(training, plan));
      from.ifPresent(checkpoint -> Checkpoint.restore(checkpoint, parts, say));
      return new TrainingRun(parts, evaluation, callbacks, stop, from).run();
    } finally {
      model.setTraining(false);
    }
  }

  private Optimizer optimizer(Consumer<String> say) {
    SequencedMap<String, Tensor> parameters = model.trainableParameters();
    if (parameters.isEmpty()) {
      throw new ConfigurationException(
          "there is nothing to train: the model has no trainable parameters");
    }
    OptimizerType type = arguments.optim();
    if (type.isPaged()) {
      say.accept(
          "optim: %s is not paged on a CPU, where all memory is the machine's; it runs as its plain"
                  .formatted(TrainingOptions.word(type))
              + " kind");
    }
    List<ParameterGroup> groups = ParameterGroup.split(parameters, arguments.weightDecay());
    return switch (type) {
      case ADAMW_TORCH, ADAMW_TORCH_FUSED ->
          new AdamW(groups, arguments.adamBeta1(), arguments.adamBeta2(), arguments.adamEpsilon());
      case ADAMW_BNB_8BIT, ADAMW_8BIT, PAGED_ADAMW_8BIT ->
          bitsandbytes(groups, name -> !isEmbedding(parameters.get(name)));
      case PAGED_ADAMW_32BIT -> bitsandbytes(groups, _ -> false);
    };
  }

  private Optimizer bitsandbytes(List<ParameterGroup> groups, Predicate<String> packed) {
    return new BitsandbytesAdamW(
        groups, arguments.adamBeta1(), arguments.adamBeta2(), arguments.adamEpsilon(), packed);
  }

  /** As transformers' trainer does, tables of embeddings keep 32-bit moments. */
  private boolean isEmbedding(Tensor parameter) {
    return model
        .model()
        .namedModules()
        .anyMatch(
            entry -> entry.getValue() instanceof Embedding table && table.weight() == parameter);
  }

  private void requireData() {
    if (training.isEmpty()) {
      throw new ConfigurationException("there are no training examples");
    }
    boolean evaluates =
        arguments.evalStrategy() != IntervalStrategy.NO || arguments.evaluatesFirst();
    if (evaluates && evaluation.isEmpty()) {
      throw new ConfigurationException(
          "eval_strategy is '"
              + TrainingOptions.word(arguments.evalStrategy())
              + "', but there are no examples to evaluate on; set it to 'no', or give evaluation"
              + " data");
    }
    refuseForeignTokens("training", training);
    refuseForeignTokens("evaluation", evaluation);
    if (training.stream().anyMatch(example -> example.texts() > 1)) {
      model.model().requirePackable();
    }
    int leading = model.model().leadingPositions();
    long without = training.stream().filter(example -> example.targetTokens(leading) == 0).count();
    if (without > 0) {
      throw new ConfigurationException(
          without + " of " + training.size() + " training examples have no target token");
    }
  }

  /** Told before the first step, and not when the row's turn comes. */
  private void refuseForeignTokens(String name, List<Example> examples) {
    int rows = model.model().config().vocabSize();
    for (int i = 0; i < examples.size(); i++) {
      for (int id : examples.get(i).ids()) {
        if (id < 0 || id >= rows) {
          throw new ConfigurationException(
              "%s example %d: %s".formatted(name, i + 1, Embedding.outside(id, rows)));
        }
      }
    }
  }

  private Optional<Path> resumable(String name, Consumer<String> say) {
    if (!name.equals(NEWEST)) {
      return Optional.of(CheckpointDirectory.named(name));
    }
    Optional<Path> newest = CheckpointDirectory.newest(arguments.outputDir(), say);
    say.accept(
        newest
            .map(checkpoint -> "resuming from " + checkpoint)
            .orElse("no checkpoint in " + arguments.outputDir() + ": starting from the beginning"));
    return newest;
  }

  /** A new run must not mix its checkpoints with an older one's. */
  private void clearOutput() {
    List<Path> old = CheckpointDirectory.all(arguments.outputDir());
    if (!old.isEmpty() && !arguments.overwriteOutputDir()) {
      throw new ConfigurationException(
          arguments.outputDir()
              + " has the checkpoints of an earlier run ("
              + old.getLast().getFileName()
              + "); resume it (--resume auto), start over with overwrite_output_dir: true, which"
              + " deletes them, or choose another output_dir");
    }
    old.forEach(AtomicDirectory::delete);
  }
}
