package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.tensor.Threads;
import dev.panatune.train.callback.LogEntry;
import dev.panatune.train.callback.TrainerCallback;
import dev.panatune.train.callback.TrainingProgress;
import dev.panatune.train.schedule.SchedulerType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that is stopped and resumed is, bit for bit, the run that never was. */
@ExtendWith(OneThread.class)
class ResumeTest {
  private static final List<Example> TRAIN = TinyAdapter.examples(22);
  private static final List<Example> HELD_OUT = TinyAdapter.examples(5);

  @TempDir private Path directory;
  private final List<String> messages = new ArrayList<>();

  /** How a run ended: its log without the times, and its weights. */
  private record Outcome(List<String> log, Map<String, float[]> weights) {}

  /** Dropout, accumulation, shuffling, warm-up, decay; 4 updates an epoch, logged every third. */
  private TrainingArgumentsBuilder arguments() {
    return TrainingArguments.builder()
        .outputDir(directory)
        .perDeviceTrainBatchSize(3)
        .gradientAccumulationSteps(2)
        .maxSteps(10)
        .learningRate(1e-2)
        .lrSchedulerType(SchedulerType.COSINE)
        .warmupSteps(3)
        .weightDecay(0.1)
        .loggingSteps(3)
        .evalStrategy(IntervalStrategy.STEPS)
        .evalSteps(4)
        .includeNumInputTokensSeen(TokenCounting.ALL)
        .saveSteps(100);
  }

  private Outcome run(TrainingArguments arguments, int stopAfter, List<Example> examples) {
    StopSignal stop = new StopSignal();
    try (TinyAdapter model = TinyAdapter.create(0.3)) {
      TrainResult result =
          Trainer.of(model, arguments)
              .trainOn(examples)
              .evaluateOn(HELD_OUT)
              .stopSignal(stop)
              .callback(
                  new TrainerCallback() {
                    @Override
                    public void onStepEnd(TrainingProgress progress) {
                      if (progress.step() == stopAfter) {
                        stop.request();
                      }
                    }

                    @Override
                    public void onMessage(String message) {
                      messages.add(message);
                    }
                  })
              .train();
      return new Outcome(
          result.history().stream().map(ResumeTest::withoutTimes).toList(), model.values());
    }
  }

  private Outcome run(TrainingArguments arguments) {
    return run(arguments, 0, TRAIN);
  }

  private static String withoutTimes(LogEntry entry) {
    Map<String, Object> values = entry.toMap();
    values.keySet().removeIf(key -> key.contains("runtime") || key.contains("per_second"));
    return values.toString();
  }

  private static void assertSame(Outcome wanted, Outcome found) {
    assertEquals(wanted.log(), found.log());
    wanted
        .weights()
        .forEach((name, values) -> assertArrayEquals(values, found.weights().get(name), name));
  }

  private void assertResumes(int stopAfter, UnaryOperator<TrainingArgumentsBuilder> change) {
    Outcome unbroken = run(change.apply(arguments().outputDir(directory.resolve("a"))).build());
    TrainingArgumentsBuilder broken = change.apply(arguments().outputDir(directory.resolve("b")));
    run(broken.build(), stopAfter, TRAIN);
    messages.clear();
    Outcome resumed = run(broken.resumeFromCheckpoint("auto").build());
    Path checkpoint = directory.resolve("b").resolve("checkpoint-" + stopAfter);
    assertEquals(List.of("resuming from " + checkpoint), messages);
    assertSame(unbroken, resumed);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4, 5, 9})
  void theWeightsAndTheLogAreThoseOfTheUnbrokenRun(int stopAfter) {
    assertResumes(stopAfter, arguments -> arguments);
  }

  @Test
  void soInHalfPrecision() {
    assertResumes(5, arguments -> arguments.bf16(true));
  }

  @Test
  void soWithAGradientScaler() {
    assertResumes(5, arguments -> arguments.fp16(true));
  }

  @Test
  void soWithGradientCheckpointing() {
    assertResumes(5, arguments -> arguments.gradientCheckpointing(true));
  }

  @Test
  void aDamagedCheckpointIsPassedOverAndSaid() throws IOException {
    run(arguments().saveSteps(2).maxSteps(6).build(), 4, TRAIN);
    Path newest = directory.resolve("checkpoint-4");
    Path weights = newest.resolve("adapter.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] ^= 1;
    Files.write(weights, bytes);
    messages.clear();
    run(arguments().saveSteps(2).maxSteps(6).resumeFromCheckpoint("auto").build());
    assertEquals(2, messages.size(), messages.toString());
    assertTrue(messages.get(0).startsWith("passing over " + newest), messages.get(0));
    assertTrue(messages.get(0).contains("adapter.safetensors"), messages.get(0));
    assertEquals("resuming from " + directory.resolve("checkpoint-2"), messages.get(1));
    // The run has written it anew.
    assertEquals(newest, CheckpointDirectory.named(newest.toString()));
  }

  @Test
  void aDamagedCheckpointThatIsNamedIsRefused() throws IOException {
    run(arguments().build(), 2, TRAIN);
    Path checkpoint = directory.resolve("checkpoint-2");
    Files.delete(checkpoint.resolve("optimizer.safetensors"));
    TrainingArguments named = arguments().resumeFromCheckpoint(checkpoint.toString()).build();
    FormatException e = assertThrows(FormatException.class, () -> run(named));
    assertTrue(e.getMessage().contains("optimizer.safetensors"), e.getMessage());
  }

  @Test
  void withoutACheckpointAutoStartsFromTheBeginning() {
    Outcome outcome = run(arguments().maxSteps(1).resumeFromCheckpoint("auto").build());
    assertEquals(
        List.of("no checkpoint in " + directory + ": starting from the beginning"), messages);
    assertTrue(outcome.log().getFirst().contains("step=0"), outcome.log().getFirst());
  }

  @Test
  void otherDataIsRefused() {
    run(arguments().build(), 2, TRAIN);
    TrainingArguments resuming = arguments().resumeFromCheckpoint("auto").build();
    List<Example> changed = new ArrayList<>(TRAIN);
    changed.set(21, TRAIN.get(20));
    ConfigurationException e =
        assertThrows(ConfigurationException.class, () -> run(resuming, 0, changed));
    assertTrue(e.getMessage().contains("other training data (fingerprint"), e.getMessage());
    ConfigurationException fewer =
        assertThrows(ConfigurationException.class, () -> run(resuming, 0, TRAIN.subList(0, 21)));
    assertTrue(fewer.getMessage().contains("examples 22, now 21"), fewer.getMessage());
  }

  @Test
  void whatWouldLoseThePlaceInTheDataIsRefused() {
    run(arguments().build(), 2, TRAIN);
    TrainingArguments resuming =
        arguments().perDeviceTrainBatchSize(2).resumeFromCheckpoint("auto").build();
    ConfigurationException e = assertThrows(ConfigurationException.class, () -> run(resuming));
    assertTrue(e.getMessage().contains("per_device_train_batch_size is 2"), e.getMessage());
  }

  @Test
  void aShorterRunThanTheCheckpointIsRefused() {
    run(arguments().build(), 3, TRAIN);
    TrainingArguments shorter = arguments().maxSteps(2).resumeFromCheckpoint("auto").build();
    ConfigurationException e = assertThrows(ConfigurationException.class, () -> run(shorter));
    assertTrue(e.getMessage().contains("after 3 steps, and this run has 2"), e.getMessage());
  }

  @Test
  void anotherLearningRateIsSaid() {
    run(arguments().build(), 2, TRAIN);
    messages.clear();
    run(arguments().maxSteps(3).learningRate(2e-2).resumeFromCheckpoint("auto").build());
    assertTrue(
        messages.stream().anyMatch(m -> m.startsWith("learning_rate is 0.02, and was 0.01")),
        messages.toString());
  }

  @Test
  void otherThreadsAreSaid() {
    run(arguments().build(), 2, TRAIN);
    messages.clear();
    int threads = Threads.intraOp();
    Threads.setIntraOp(threads + 1);
    try {
      run(arguments().maxSteps(3).resumeFromCheckpoint("auto").build());
    } finally {
      Threads.setIntraOp(threads);
    }
    assertTrue(
        messages.stream()
            .anyMatch(m -> m.contains("threads %d, not %d".formatted(threads + 1, threads))),
        messages.toString());
  }

  @Test
  void aCheckpointHasTheFilesThatItShould() throws IOException {
    run(arguments().build(), 2, TRAIN);
    try (var files = Files.list(directory.resolve("checkpoint-2"))) {
      assertEquals(
          List.of(
              "adapter.safetensors",
              "manifest.json",
              "optimizer.safetensors",
              "resume_state.json",
              "rng_state.safetensors",
              "scheduler.json",
              "trainer_state.json",
              "training_args.json"),
          files.map(file -> file.getFileName().toString()).sorted().toList());
    }
    JsonState state =
        JsonState.read(directory.resolve("checkpoint-2").resolve("trainer_state.json"));
    assertEquals(2, state.at("global_step").integer());
    assertEquals(0.5, state.at("epoch").number());
    JsonState position =
        JsonState.read(directory.resolve("checkpoint-2").resolve("resume_state.json")).at("data");
    assertEquals(0, position.at("epoch").integer());
    assertEquals(12, position.at("used_of_epoch").integer());
    String kernels =
        JsonState.read(directory.resolve("checkpoint-2").resolve("resume_state.json"))
            .at("kernels")
            .at("kernels")
            .word();
    assertTrue(kernels.startsWith("isa="), kernels);
  }
}
