package dev.panatune.train;

import dev.panatune.tensor.Threads;
import dev.panatune.train.callback.TrainerCallback;
import dev.panatune.train.callback.TrainingProgress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A process that trains a tiny model with dropout, accumulation and shuffling, and goes on from the
 * newest checkpoint of its directory. It tells every update on standard output.
 */
final class TinyTrainingProcess {
  private TinyTrainingProcess() {}

  /** Takes the output directory and the number of updates; a checkpoint is written after each. */
  public static void main(String[] arguments) {
    Threads.setIntraOp(1);
    TrainingArguments training =
        TrainingArguments.builder()
            .outputDir(Path.of(arguments[0]))
            .maxSteps(Integer.parseInt(arguments[1]))
            .perDeviceTrainBatchSize(3)
            .gradientAccumulationSteps(2)
            .learningRate(1e-2)
            .saveSteps(1)
            .saveTotalLimit(3)
            .resumeFromCheckpoint("auto")
            .build();
    try (TinyAdapter model = TinyAdapter.create(0.3)) {
      Trainer.of(model, training)
          .trainOn(TinyAdapter.examples(22))
          .callback(
              new TrainerCallback() {
                @Override
                public void onStepEnd(TrainingProgress progress) {
                  System.out.println("step " + progress.step());
                }

                @Override
                public void onMessage(String message) {
                  System.out.println(message);
                }
              })
          .train();
    }
    System.out.println("done");
  }

  /** Starts the process. */
  static Process start(Path directory, int steps) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1"));
    command.addAll(
        Arrays.asList(
            "-cp",
            System.getProperty("java.class.path"),
            TinyTrainingProcess.class.getName(),
            directory.toString(),
            Integer.toString(steps)));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }
}
