package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.AtomicDirectory;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.format.TensorFile;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Consumer;

/**
 * Writes and reads a checkpoint: beside the model's own files the optimizer's state, the random
 * generator's, and what the run knows of itself.
 */
final class Checkpoint {
  private static final String OPTIMIZER = "optimizer.safetensors";
  private static final String RANDOM = "rng_state.safetensors";
  private static final String SCHEDULER = "scheduler.json";
  private static final String TRAINER_STATE = "trainer_state.json";
  private static final String RESUME_STATE = "resume_state.json";
  private static final String ARGUMENTS = "training_args.json";

  private Checkpoint() {}

  /** Writes a checkpoint, whole or not at all. */
  static void write(Path target, RunParts run) {
    try (AtomicDirectory directory = AtomicDirectory.create(target);
        TensorScope _ = TensorScope.open()) {
      Path path = directory.path();
      run.model().save(path);
      TensorFile.write(path.resolve(OPTIMIZER), run.optimizer().state());
      TensorFile.write(path.resolve(RANDOM), randomState(Rng.state()));
      write(path.resolve(SCHEDULER), StateFiles.scheduler(run));
      write(path.resolve(TRAINER_STATE), StateFiles.trainerState(run));
      write(path.resolve(RESUME_STATE), StateFiles.resumeState(run));
      write(path.resolve(ARGUMENTS), run.plan().arguments().toOptions());
      directory.commit();
    }
  }

  /**
   * Brings a run to where the checkpoint was written. The checkpoint's manifest has been verified.
   *
   * @param say is told what makes the resumed run another than the one that was stopped
   * @throws FormatException if the checkpoint does not fit the model
   * @throws ConfigurationException if it does not fit the data
   */
  static void restore(Path directory, RunParts run, Consumer<String> say) {
    ResumeCheck.check(
        JsonState.read(directory.resolve(RESUME_STATE)),
        JsonState.read(directory.resolve(ARGUMENTS)),
        run,
        say);
    StateFiles.restore(
        JsonState.read(directory.resolve(RESUME_STATE)),
        JsonState.read(directory.resolve(TRAINER_STATE)),
        run.state());
    run.model().load(directory);
    StoredTensors.copy(
        SafetensorsIndex.open(directory.resolve(OPTIMIZER)), run.optimizer().state());
    try (TensorScope _ = TensorScope.open()) {
      SequencedMap<String, Tensor> random = randomState(Rng.state());
      StoredTensors.copy(SafetensorsIndex.open(directory.resolve(RANDOM)), random);
      Rng.restore(random.firstEntry().getValue().toBytes());
    }
  }

  private static SequencedMap<String, Tensor> randomState(byte[] state) {
    SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("cpu", Tensor.ofBytes(state, state.length));
    return tensors;
  }

  private static void write(Path file, Map<String, ?> values) {
    AtomicFiles.write(file, JsonState.bytes(values));
  }
}
