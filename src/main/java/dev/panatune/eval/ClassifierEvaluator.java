package dev.panatune.eval;

import dev.panatune.data.Batching;
import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.model.Batch;
import dev.panatune.model.CausalLM;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Measures how well a model tells the classes of texts. */
public final class ClassifierEvaluator {
  private ClassifierEvaluator() {}

  /**
   * Evaluates without gradients, the longest texts first.
   *
   * @param model a classifier
   * @param examples texts with their classes
   * @param batchSize texts at once
   * @param autocast the type to compute in; empty for the weights' own
   * @throws ConfigurationException if there is no example
   */
  public static ClassificationResult evaluate(
      CausalLM model, List<Example> examples, int batchSize, Optional<DType> autocast) {
    if (examples.isEmpty()) {
      throw new ConfigurationException("there is nothing to evaluate on: no examples");
    }
    long start = System.nanoTime();
    int classes = model.config().classifier().orElseThrow().labels();
    long[][] confusion = new long[classes][classes];
    double loss = 0;
    long tokens = 0;
    try (GradMode _ = GradMode.disable()) {
      for (List<Example> group : Batching.byLength(examples, batchSize)) {
        try (TensorScope _ = TensorScope.open();
            Batch batch = Batching.batch(group, model.leadingPositions())) {
          Tensor logits = within(model, autocast, () -> logits(model, batch)).to(DType.FLOAT32);
          Tensor likelihood = logits.logSoftmax(-1).gather(-1, batch.targets().unsqueeze(-1));
          loss -= likelihood.sum().item();
          long[] found = logits.argmax(-1).toLongs();
          long[] wanted = batch.targets().toLongs();
          for (int i = 0; i < found.length; i++) {
            confusion[(int) wanted[i]][(int) found[i]]++;
          }
          tokens += batch.tokens();
        }
      }
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    return new ClassificationResult(loss / examples.size(), confusion, tokens, seconds);
  }

  private static Tensor logits(CausalLM model, Batch batch) {
    Tensor hidden = model.hiddenStates(batch.ids());
    return model.predict(
        hidden.reshape(-1, model.config().hiddenSize()).indexSelect(0, batch.targetRows()));
  }

  private static Tensor within(CausalLM model, Optional<DType> autocast, Supplier<Tensor> work) {
    if (autocast.isEmpty()) {
      return work.get();
    }
    try (Autocast _ = Autocast.enable(model.device().kind(), autocast.get())) {
      return work.get();
    }
  }
}
