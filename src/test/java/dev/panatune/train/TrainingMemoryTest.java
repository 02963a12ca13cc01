package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Batching;
import dev.panatune.data.Example;
import dev.panatune.model.Batch;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.tensor.Threads;
import dev.panatune.train.callback.TrainerCallback;
import dev.panatune.train.callback.TrainingProgress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a run keeps in native memory. */
@ExtendWith(OneThread.class)
class TrainingMemoryTest {
  private static final int ROWS = 4;
  private static final int HIDDEN = 32;
  private static final int INTERMEDIATE = 48;
  private static final int HEADS = 4;

  @TempDir private Path directory;

  private record Counts(long tensors, long bytes) {
    static Counts now() {
      return new Counts(TensorScope.liveTensors(), NativeMemory.liveBytes());
    }
  }

  private static TrainingArgumentsBuilder arguments(Path directory) {
    return TrainingArguments.builder()
        .outputDir(directory)
        .maxSteps(4)
        .perDeviceTrainBatchSize(ROWS)
        .saveStrategy(SaveStrategy.NO)
        .loggingStrategy(IntervalStrategy.NO);
  }

  private static void train(
      TrainingArguments arguments, Map<String, Object> model, int rows, TrainerCallback callback) {
    try (TinyAdapter adapter = TinyAdapter.create(0, model)) {
      Trainer.of(adapter, arguments).trainOn(TinyAdapter.examples(rows)).callback(callback).train();
    }
  }

  @Test
  void aThousandStepsKeepTensorsAndBytesConstant() {
    Counts before = Counts.now();
    List<Counts> counts = new ArrayList<>();
    train(
        arguments(directory).maxSteps(1000).gradientAccumulationSteps(2).build(),
        Map.of("num_hidden_layers", 1),
        22,
        new TrainerCallback() {
          @Override
          public void onStepEnd(TrainingProgress progress) {
            counts.add(Counts.now());
          }
        });
    assertEquals(1000, counts.size());
    assertEquals(1, Set.copyOf(counts).size(), () -> Set.copyOf(counts).toString());
    assertEquals(before, Counts.now());
  }

  @Test
  void aTensorThatIsLostShows() {
    List<Tensor> lost = new ArrayList<>();
    List<Counts> counts = new ArrayList<>();
    train(
        arguments(directory).build(),
        Map.of("num_hidden_layers", 1),
        22,
        new TrainerCallback() {
          @Override
          public void onStepEnd(TrainingProgress progress) {
            lost.add(Tensor.zeros(DType.FLOAT32, 1).keep());
            counts.add(Counts.now());
          }
        });
    lost.forEach(Tensor::close);
    assertNotEquals(counts.get(2), counts.get(3));
  }

  /** After the forward pass nothing is alive but what the backward pass needs. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void theForwardPassLeavesWhatAutogradMustSave(int layers) {
    try (TinyAdapter adapter = TinyAdapter.create(0, Map.of("num_hidden_layers", layers));
        Batch batch = Batching.batch(TinyAdapter.examples(ROWS));
        TensorScope _ = TensorScope.open()) {
      long before = NativeMemory.liveBytes();
      adapter.model().loss(batch);
      assertEquals(savedBytes(layers, batch), NativeMemory.liveBytes() - before);
    }
  }

  /** The peak of a step is what autograd saved and the working memory of one layer's backward. */
  @Test
  void theBackwardPassAddsTheSameAtAnyDepth() {
    try (Batch batch = Batching.batch(TinyAdapter.examples(ROWS))) {
      long working = peak(false, 2) - savedBytes(2, batch);
      for (int layers = 3; layers <= 5; layers++) {
        assertEquals(savedBytes(layers, batch) + working, peak(false, layers));
      }
      // A gradient beside each saved tensor, at most, and the gradients of the loss's own rows.
      assertTrue(working < 2 * savedBytes(1, batch), working + " bytes");
    }
  }

  private static long savedBytes(int layers, Batch batch) {
    int keysOrValues = 16;
    int rank = 2;
    long floatsAToken =
        HIDDEN // the layer's output, for the norm after it; before the first nothing is trained
            + HIDDEN // the norm's output, for the gradient of q_proj's A
            + rank // for the gradient of q_proj's B
            + HIDDEN // queries, for the attention
            + 2 * keysOrValues
            + HEADS // the logarithms of the attention's sums
            + HIDDEN // the sum of the residual stream and the attention, for the second norm
            + 2 * INTERMEDIATE // gate and up, for their product
            + INTERMEDIATE // the product, for the gradient of down_proj's A
            + rank; // for the gradient of down_proj's B
    long tokens = batch.ids().numel();
    long floats =
        layers * tokens * floatsAToken
            + (long) batch.targetTokens() * HIDDEN // the loss's gradient, for the head
            + batch.ids().size(1) * (HIDDEN / HEADS) // cosines and sines, of half a head each
            + 1; // the loss
    return floats * Float.BYTES + Long.BYTES; // and how many were right
  }

  /** Another layer costs its input and the gradients of what is trained in it, and nothing else. */
  @Test
  void gradientCheckpointingKeepsALayersInputOnly() {
    long input = (long) tokens() * HIDDEN * Float.BYTES;
    long gradients = 2 * (HIDDEN + HIDDEN + INTERMEDIATE + HIDDEN) * Float.BYTES;
    assertEquals(input + gradients, peak(true, 5) - peak(true, 4));
  }

  /** The tokens of the one batch, padding with them. */
  private static int tokens() {
    return ROWS * TinyAdapter.examples(ROWS).stream().mapToInt(Example::length).max().getAsInt();
  }

  /** The most bytes that are alive during an update, beyond those that are between updates. */
  private long peak(boolean checkpointing, int layers) {
    List<Long> peaks = new ArrayList<>();
    train(
        arguments(directory)
            .gradientCheckpointing(checkpointing)
            .trainSamplingStrategy(SamplingStrategy.SEQUENTIAL)
            .build(),
        Map.of("num_hidden_layers", layers),
        ROWS,
        new TrainerCallback() {
          @Override
          public void onTrainBegin(TrainingProgress progress) {
            NativeMemory.resetPeak();
          }

          @Override
          public void onStepEnd(TrainingProgress progress) {
            peaks.add(NativeMemory.peakBytes() - NativeMemory.liveBytes());
            NativeMemory.resetPeak();
          }
        });
    assertEquals(1, Set.copyOf(peaks).size(), peaks.toString());
    return peaks.getFirst();
  }

  @Test
  void residentMemoryStays() throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED",
                // A heap that is touched at once, and one compiler: what grows then is native.
                "-Xms64m",
                "-Xmx64m",
                "-XX:+AlwaysPreTouch",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                ResidentMemory.class.getName(),
                directory.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    List<Long> resident = process.inputReader().lines().map(Long::parseLong).toList();
    assertEquals(0, process.waitFor());
    assertEquals(2, resident.size());
    double growth = (double) resident.get(1) / resident.get(0);
    assertTrue(growth < 1.02, "from " + resident.get(0) + " to " + resident.get(1) + " kB");
  }

  /** Trains for 1,000 steps; tells the resident memory in kB after steps 200 and 1,000. */
  static final class ResidentMemory {
    private ResidentMemory() {}

    public static void main(String[] arguments) {
      Threads.setIntraOp(1);
      TrainingArguments training = arguments(Path.of(arguments[0])).maxSteps(1000).build();
      train(
          training,
          Map.of("num_hidden_layers", 1),
          22,
          new TrainerCallback() {
            @Override
            public void onStepEnd(TrainingProgress progress) {
              if (progress.step() == 200 || progress.step() == 1000) {
                System.out.println(kilobytes());
              }
            }
          });
    }

    private static String kilobytes() {
      try {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith("VmRSS:"))
            .map(line -> line.replaceAll("\\D", ""))
            .findFirst()
            .orElseThrow();
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
