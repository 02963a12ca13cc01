package dev.panatune.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ModelConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class EvaluatorTest {
  private static final int VOCABULARY = 61;

  private CausalLM model;

  @BeforeEach
  void makeModel() {
    model =
        CausalLM.random(
            ModelConfig.fromHuggingFace(
                Map.of(
                    "model_type", "llama",
                    "vocab_size", VOCABULARY,
                    "hidden_size", 32,
                    "intermediate_size", 48,
                    "num_hidden_layers", 2,
                    "num_attention_heads", 4,
                    "num_key_value_heads", 2,
                    "initializer_range", 0.2)),
            3);
  }

  @AfterEach
  void freeModel() {
    model.close();
  }

  /** Rows of different lengths and different numbers of targets. */
  private static List<Example> examples() {
    Random random = new Random(5);
    List<Example> examples = new ArrayList<>();
    for (int length : new int[] {3, 11, 7, 5, 2}) {
      int[] ids = random.ints(length, 0, VOCABULARY).toArray();
      int[] labels = ids.clone();
      Arrays.fill(labels, 0, random.nextInt(length - 1), Example.IGNORED);
      examples.add(new Example(ids, labels));
    }
    return examples;
  }

  @Test
  void theLossIsTheMeanOverTheTargetTokensOfTheSet() {
    double loss = 0;
    int correct = 0;
    int tokens = 0;
    for (Example example : examples()) {
      try (TensorScope _ = TensorScope.open()) {
        long[] ids = Arrays.stream(example.ids()).asLongStream().toArray();
        Tensor logits = model.logits(Tensor.ofLongs(ids, 1, ids.length)).to(DType.FLOAT64);
        for (int i = 1; i < ids.length; i++) {
          if (example.labels()[i] != Example.IGNORED) {
            Tensor row = logits.select(1, i - 1).select(0, 0);
            loss -= row.logSoftmax(0).select(0, ids[i]).item();
            correct += row.argmax(0).itemLong() == ids[i] ? 1 : 0;
            tokens++;
          }
        }
      }
    }
    EvalResult result = Evaluator.evaluate(model, examples(), 2, Optional.empty());
    assertEquals(loss / tokens, result.loss(), 1e-5);
    assertEquals(Math.exp(loss / tokens), result.perplexity(), 1e-3);
    assertEquals((double) correct / tokens, result.tokenAccuracy());
    assertEquals(tokens, result.tokens());
    assertEquals(examples().size(), result.examples());
  }

  @Test
  void theBatchSizeChangesNothing() {
    double one = Evaluator.evaluate(model, examples(), 1, Optional.empty()).loss();
    double all = Evaluator.evaluate(model, examples(), 100, Optional.empty()).loss();
    assertEquals(one, all, 1e-5 * one);
  }

  @Test
  void autocastComputesInTheTypeAskedFor() {
    double exact = Evaluator.evaluate(model, examples(), 4, Optional.empty()).loss();
    double rounded = Evaluator.evaluate(model, examples(), 4, Optional.of(DType.BFLOAT16)).loss();
    assertTrue(exact != rounded, "the same loss to the bit: " + exact);
    assertEquals(exact, rounded, 0.05 * exact);
  }

  @Test
  void nothingIsLeftBehind() {
    long before = TensorScope.liveTensors();
    Evaluator.evaluate(model, examples(), 2, Optional.empty());
    assertEquals(before, TensorScope.liveTensors());
  }

  @Test
  void anEmptySetIsRefused() {
    assertThrows(
        ConfigurationException.class,
        () -> Evaluator.evaluate(model, List.of(), 2, Optional.empty()));
  }
}
