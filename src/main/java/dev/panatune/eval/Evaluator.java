package dev.panatune.eval;

import dev.panatune.data.Batching;
import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.model.Batch;
import dev.panatune.model.CausalLM;
import dev.panatune.model.LossSums;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.TensorScope;
import java.util.List;
import java.util.Optional;

/** Measures the loss of a model on examples. */
public final class Evaluator {
  private Evaluator() {}

  /**
   * Evaluates a model as what it is: a language model or a classifier; see {@link #evaluate} and
   * {@link ClassifierEvaluator#evaluate}.
   */
  public static Evaluation measure(
      CausalLM model, List<Example> examples, int batchSize, Optional<DType> autocast) {
    return model.config().classifier().isPresent()
        ? ClassifierEvaluator.evaluate(model, examples, batchSize, autocast)
        : evaluate(model, examples, batchSize, autocast);
  }

  /**
   * Evaluates without gradients, the longest examples first. Loss and accuracy are means over all
   * target tokens of the set, whatever the batch size.
   *
   * @param batchSize examples at once
   * @param autocast the type to compute in; empty for the weights' own
   * @throws ConfigurationException if there is no example
   */
  public static EvalResult evaluate(
      CausalLM model, List<Example> examples, int batchSize, Optional<DType> autocast) {
    if (examples.isEmpty()) {
      throw new ConfigurationException("there is nothing to evaluate on: no examples");
    }
    long start = System.nanoTime();
    double loss = 0;
    long correct = 0;
    long tokens = 0;
    try (GradMode _ = GradMode.disable()) {
      for (List<Example> group : Batching.byLength(examples, batchSize)) {
        try (TensorScope _ = TensorScope.open();
            Batch batch = Batching.batch(group, model.leadingPositions())) {
          LossSums sums = sums(model, batch, autocast);
          loss += sums.loss().item();
          correct += sums.correct().itemLong();
          tokens += batch.targetTokens();
        }
      }
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    return new EvalResult(
        loss / tokens,
        (double) correct / tokens,
        examples.stream().mapToInt(Example::texts).sum(),
        tokens,
        seconds);
  }

  private static LossSums sums(CausalLM model, Batch batch, Optional<DType> autocast) {
    if (autocast.isEmpty()) {
      return model.loss(batch);
    }
    try (Autocast _ = Autocast.enable(model.device().kind(), autocast.get())) {
      return model.loss(batch);
    }
  }
}
