package dev.panatune.train;

import dev.panatune.data.Batching;
import dev.panatune.data.Example;
import dev.panatune.error.TrainingException;
import dev.panatune.model.Batch;
import dev.panatune.train.optim.GradientScaler;
import dev.panatune.train.optim.Optimizer;
import java.util.List;

/** Makes one update: the passes over its micro-batches, clipping, and the optimizer's step. */
final class StepRunner {
  private final TrainingPass pass;
  private final Optimizer optimizer;
  private final TrainingArguments arguments;
  private final GradientScaler scaler;

  StepRunner(
      TrainingPass pass, Optimizer optimizer, TrainingArguments arguments, GradientScaler scaler) {
    this.pass = pass;
    this.optimizer = optimizer;
    this.arguments = arguments;
    this.scaler = scaler;
  }

  /**
   * Makes update {@code step}, counted from 1.
   *
   * @throws TrainingException if the loss or a gradient is not a number; the weights are then those
   *     before the update
   */
  StepResult run(int step, List<List<Example>> batches, double learningRate) {
    int leading = pass.model().leadingPositions();
    int targets =
        batches.stream().flatMap(List::stream).mapToInt(e -> e.targetTokens(leading)).sum();
    double scale = scaling() ? scaler.scale() : 1;
    double lossSum = 0;
    long correct = 0;
    long tokens = 0;
    long positions = 0;
    for (List<Example> examples : batches) {
      try (Batch batch = Batching.batch(examples, leading)) {
        MicroBatchLoss loss = pass.run(batch, scale / targets);
        lossSum += loss.lossSum();
        correct += loss.correct();
        tokens += batch.tokens();
        positions += batch.ids().numel();
      }
      if (!Double.isFinite(lossSum)) {
        break;
      }
    }
    double loss = lossSum / targets;
    double norm =
        Double.isFinite(loss)
            ? optimizer.step(learningRate, 1 / scale, arguments.maxGradNorm())
            : Double.NaN;
    optimizer.zeroGrad();
    boolean applied = Double.isFinite(norm);
    if (scaling()) {
      rescale(applied, step, learningRate);
    } else if (!applied) {
      throw diverged(step, loss, learningRate);
    }
    int rows = batches.stream().mapToInt(List::size).sum();
    return new StepResult(loss, correct, targets, rows, tokens, positions, norm, applied);
  }

  private boolean scaling() {
    return arguments.precision() == Precision.FP16;
  }

  private void rescale(boolean applied, int step, double learningRate) {
    if (applied) {
      scaler.succeeded();
    } else if (!scaler.overflowed()) {
      throw new TrainingException(
          "gradients overflow float16 at step "
              + step
              + " (learning rate "
              + learningRate
              + ") however small the loss is scaled; train with bf16: true instead of fp16");
    }
  }

  private TrainingException diverged(int step, double loss, double learningRate) {
    return new TrainingException(
        (Double.isFinite(loss) ? "a gradient is not finite" : "the loss is " + loss)
            + " at step "
            + step
            + " (learning rate "
            + learningRate
            + ", max_grad_norm "
            + arguments.maxGradNorm()
            + "); the weights are those of step "
            + (step - 1)
            + ". Try a lower learning_rate, a longer warm-up, or max_grad_norm 1.0; and look for"
            + " NaN in the model's own weights");
  }
}
