package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.EncodedDataset;
import dev.panatune.data.EncodingReport;
import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.TrainingException;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.callback.LogEntry;
import dev.panatune.train.callback.TrainerCallback;
import dev.panatune.train.callback.TrainingProgress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(OneThread.class)
class TrainerTest {
  private static final List<Example> TRAIN = TinyAdapter.examples(22);
  private static final List<Example> HELD_OUT = TinyAdapter.examples(5);

  @TempDir private Path directory;
  private TinyAdapter model;

  @BeforeEach
  void createModel() {
    model = TinyAdapter.create(0);
  }

  @AfterEach
  void closeModel() {
    model.close();
  }

  private TrainingArgumentsBuilder arguments() {
    return TrainingArguments.builder()
        .outputDir(directory)
        .perDeviceTrainBatchSize(3)
        .gradientAccumulationSteps(2)
        .maxSteps(6)
        .learningRate(1e-2)
        .loggingSteps(1)
        .saveStrategy(SaveStrategy.NO);
  }

  private Trainer trainer(TrainingArguments arguments) {
    return Trainer.of(model, arguments).trainOn(TRAIN).evaluateOn(HELD_OUT);
  }

  private static List<Double> logged(TrainResult result, String key) {
    return result.history().stream().flatMap(entry -> entry.value(key).stream().boxed()).toList();
  }

  /** A step over all examples, in rows of their own and packed, with and without checkpointing. */
  @Test
  void packedExamplesTrainAsTheyDoAlone() {
    List<Example> packed = new EncodedDataset(TRAIN, report()).packed(40).examples();
    assertTrue(packed.size() < TRAIN.size() / 2, packed.size() + " rows");
    List<Double> norms = new ArrayList<>();
    for (boolean checkpointing : new boolean[] {false, true}) {
      for (List<Example> examples : List.of(TRAIN, packed)) {
        try (TinyAdapter fresh = TinyAdapter.create(0)) {
          TrainingArguments step =
              arguments()
                  .perDeviceTrainBatchSize(11)
                  .gradientAccumulationSteps(Math.ceilDiv(examples.size(), 11))
                  .maxSteps(1)
                  .gradientCheckpointing(checkpointing)
                  .build();
          TrainResult result = Trainer.of(fresh, step).trainOn(examples).train();
          norms.add(logged(result, "grad_norm").getFirst());
          norms.add(logged(result, "loss").getFirst());
        }
      }
    }
    for (int i = 2; i < norms.size(); i++) {
      assertEquals(norms.get(i % 2), norms.get(i), 1e-5 * norms.get(i), "value " + i);
    }
  }

  private static EncodingReport report() {
    return new EncodingReport(TRAIN.size(), 0, 0, 0, 0, 0, 40);
  }

  @Test
  void theLossFallsOnWhatIsTrained() {
    TrainResult result =
        trainer(arguments().maxSteps(40).numTrainEpochs(1).learningRate(5e-2).build()).train();
    List<Double> losses = logged(result, "loss");
    assertEquals(40, losses.size());
    assertTrue(losses.getLast() < 0.6 * losses.getFirst(), losses.toString());
  }

  @Test
  void theLogHasTheKeysOfTransformers() {
    TrainResult result =
        trainer(
                arguments()
                    .maxSteps(4)
                    .loggingSteps(2)
                    .evalStrategy(IntervalStrategy.STEPS)
                    .evalSteps(3)
                    .includeNumInputTokensSeen(TokenCounting.NON_PADDING)
                    .build())
            .train();
    List<LogEntry> history = result.history();
    assertEquals(List.of(0, 2, 3, 4, 4, 4), history.stream().map(LogEntry::step).toList());
    Set<String> evaluation =
        Set.of(
            "eval_loss",
            "eval_perplexity",
            "eval_token_accuracy",
            "eval_runtime",
            "eval_samples_per_second",
            "eval_steps_per_second");
    Set<String> training =
        Set.of(
            "loss", "mean_token_accuracy", "grad_norm", "learning_rate", "num_input_tokens_seen");
    assertEquals(evaluation, history.get(0).values().keySet());
    assertEquals(training, history.get(1).values().keySet());
    assertEquals(evaluation, history.get(2).values().keySet());
    assertEquals(training, history.get(3).values().keySet());
    assertEquals(evaluation, history.get(4).values().keySet());
    assertTrue(history.get(5).value("train_loss").isPresent());
    // 22 examples make 8 micro-batches and so 4 updates: one epoch.
    assertEquals(0.5, history.get(1).epoch());
    assertEquals(1.0, history.get(5).epoch());
    assertEquals(
        TRAIN.stream().mapToInt(Example::length).sum(),
        history.get(3).value("num_input_tokens_seen").getAsDouble());
  }

  /** Which micro-batch an example is in must not change its weight in the update. */
  @Test
  void accumulationDividesByTheTargetsOfTheWholeStep() {
    Map<String, float[]> accumulated = afterOneStep(2, 3);
    model.close();
    model = TinyAdapter.create(0);
    Map<String, float[]> atOnce = afterOneStep(6, 1);
    atOnce.forEach((name, values) -> assertArrayEquals(values, accumulated.get(name), 1e-5f, name));
  }

  private Map<String, float[]> afterOneStep(int batchSize, int accumulation) {
    trainer(
            arguments()
                .perDeviceTrainBatchSize(batchSize)
                .gradientAccumulationSteps(accumulation)
                .trainSamplingStrategy(SamplingStrategy.SEQUENTIAL)
                .maxSteps(1)
                // A large epsilon makes AdamW's step follow the size of the gradient.
                .adamEpsilon(1)
                .maxGradNorm(0)
                .learningRate(1)
                .build())
        .train();
    return model.values();
  }

  @Test
  void gradientCheckpointingChangesNoBit() {
    model.close();
    model = TinyAdapter.create(0.3);
    TrainResult plain = trainer(arguments().build()).train();
    Map<String, float[]> weights = model.values();
    model.close();
    model = TinyAdapter.create(0.3);
    TrainResult checkpointed = trainer(arguments().gradientCheckpointing(true).build()).train();
    assertEquals(logged(plain, "loss"), logged(checkpointed, "loss"));
    assertEquals(logged(plain, "grad_norm"), logged(checkpointed, "grad_norm"));
    weights.forEach((name, values) -> assertArrayEquals(values, model.values().get(name), name));
  }

  @Test
  void evaluationMovesNothing() {
    model.close();
    model = TinyAdapter.create(0.3);
    TrainResult without = trainer(arguments().build()).train();
    Map<String, float[]> weights = model.values();
    model.close();
    model = TinyAdapter.create(0.3);
    TrainResult with =
        trainer(arguments().evalStrategy(IntervalStrategy.STEPS).evalSteps(2).build()).train();
    assertEquals(4, logged(with, "eval_loss").size());
    assertEquals(logged(without, "loss"), logged(with, "loss"));
    weights.forEach((name, values) -> assertArrayEquals(values, model.values().get(name), name));
  }

  @Test
  void bf16FollowsFp32() {
    TrainResult exact = trainer(arguments().build()).train();
    model.close();
    model = TinyAdapter.create(0);
    TrainResult rounded = trainer(arguments().bf16(true).build()).train();
    List<Double> wanted = logged(exact, "loss");
    List<Double> found = logged(rounded, "loss");
    for (int i = 0; i < wanted.size(); i++) {
      assertEquals(wanted.get(i), found.get(i), 0.02 * wanted.get(i));
    }
    assertFalse(wanted.equals(found));
  }

  @Test
  void fp16ScalesTheLossAndFollowsFp32() {
    TrainResult exact = trainer(arguments().build()).train();
    model.close();
    model = TinyAdapter.create(0);
    TrainResult rounded = trainer(arguments().fp16(true).build()).train();
    List<Double> wanted = logged(exact, "grad_norm");
    List<Double> found = logged(rounded, "grad_norm");
    assertEquals(wanted.getFirst(), found.getFirst(), 0.02 * wanted.getFirst());
  }

  @Test
  void aNanLossStopsBeforeTheWeightsAreTouched() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor norm = model.model().namedParameters().get("model.norm.weight");
      norm.copy_(Tensor.full(Double.NaN, norm.dtype(), norm.shape()));
    }
    Map<String, float[]> before = model.values();
    Trainer trainer = trainer(arguments().build());
    TrainingException e = assertThrows(TrainingException.class, trainer::train);
    assertTrue(e.getMessage().contains("NaN at step 1 "), e.getMessage());
    assertTrue(e.getMessage().contains("lower learning_rate"), e.getMessage());
    before.forEach((name, values) -> assertArrayEquals(values, model.values().get(name), name));
  }

  @Test
  void anInfiniteGradientStopsToo() {
    // The first update throws the weights so far that the second one's gradients overflow.
    Trainer trainer = trainer(arguments().learningRate(1e38).maxGradNorm(0).build());
    TrainingException e = assertThrows(TrainingException.class, trainer::train);
    assertTrue(e.getMessage().contains("at step 2 "), e.getMessage());
  }

  @Test
  void aStopSignalIsObeyedAtTheNextStepAndLeavesACheckpoint() {
    StopSignal stop = new StopSignal();
    List<Path> saved = new ArrayList<>();
    TrainResult result =
        trainer(arguments().build())
            .stopSignal(stop)
            .callback(
                new TrainerCallback() {
                  @Override
                  public void onStepEnd(TrainingProgress progress) {
                    if (progress.step() == 2) {
                      stop.request();
                    }
                  }

                  @Override
                  public void onSave(TrainingProgress progress, Path checkpoint) {
                    saved.add(checkpoint);
                  }
                })
            .train();
    assertTrue(result.stopped());
    assertEquals(2, result.steps());
    assertEquals(List.of(directory.resolve("checkpoint-2")), saved);
    assertEquals(saved.getFirst(), result.newestCheckpoint().orElseThrow());
    assertTrue(logged(result, "train_loss").isEmpty());
  }

  @Test
  void onlyTheNewestAndTheBestCheckpointsAreKept() {
    TrainResult result =
        trainer(
                arguments()
                    .maxSteps(8)
                    .saveStrategy(SaveStrategy.STEPS)
                    .saveSteps(1)
                    .saveTotalLimit(2)
                    .evalStrategy(IntervalStrategy.STEPS)
                    .evalSteps(1)
                    .loadBestModelAtEnd(true)
                    // Nonsense, but it makes an early model the best one.
                    .greaterIsBetter(true)
                    .build())
            .train();
    List<Double> losses = logged(result, "eval_loss");
    double most = losses.stream().skip(1).mapToDouble(Double::doubleValue).max().orElseThrow();
    int best = losses.lastIndexOf(most);
    assertTrue(best < 7, losses.toString());
    assertEquals(
        Set.of("checkpoint-" + best, "checkpoint-8"),
        Set.copyOf(
            CheckpointDirectory.all(directory).stream()
                .map(path -> path.getFileName().toString())
                .toList()));
    assertEquals(directory.resolve("checkpoint-" + best), result.bestCheckpoint().orElseThrow());
    Map<String, float[]> atTheEnd = model.values();
    model.load(result.bestCheckpoint().orElseThrow());
    model.values().forEach((n, values) -> assertArrayEquals(values, atTheEnd.get(n), n));
  }

  @Test
  void anOlderRunsCheckpointsAreInTheWayUntilTheyMayGo() {
    TrainingArgumentsBuilder saving =
        arguments().maxSteps(2).saveStrategy(SaveStrategy.STEPS).saveSteps(2);
    trainer(saving.build()).train();
    Trainer again = trainer(saving.maxSteps(1).saveSteps(1).build());
    ConfigurationException e = assertThrows(ConfigurationException.class, again::train);
    assertTrue(e.getMessage().contains("checkpoint-2"), e.getMessage());
    trainer(saving.overwriteOutputDir(true).build()).train();
    assertEquals(List.of(directory.resolve("checkpoint-1")), CheckpointDirectory.all(directory));
  }

  @Test
  void whatCannotBeTrainedIsRefused() {
    Trainer without = Trainer.of(model, arguments().build());
    assertTrue(
        assertThrows(ConfigurationException.class, without::train)
            .getMessage()
            .contains("no training examples"));
    Trainer blind =
        Trainer.of(model, arguments().evalStrategy(IntervalStrategy.EPOCH).build()).trainOn(TRAIN);
    assertTrue(
        assertThrows(ConfigurationException.class, blind::train)
            .getMessage()
            .contains("no examples to evaluate on"));
    Trainer unknown = trainer(arguments().resumeFromCheckpoint("nowhere").build());
    assertTrue(
        assertThrows(ConfigurationException.class, unknown::train)
            .getMessage()
            .contains("no checkpoint nowhere"));
    assertFalse(Files.exists(directory.resolve("checkpoint-1")));
  }
}
