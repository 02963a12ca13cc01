package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Texts that share a row lose and learn what they do in rows of their own. */
@ExtendWith(OneThread.class)
class PackedTextsTest {
  private static final double LOSS = 1e-5;
  private static final double GRADIENT = 1e-4;

  /** Longer than the fixtures' windows, and not longer than what their ropes scale from. */
  private static final int[] LENGTHS = {9, 4, 7, 2, 8};

  /** The texts of each row; the second row is padded. */
  private static final int[][] ROWS = {{0, 2, 1}, {4, 3}};

  private static List<Path> families() {
    return FamilyFixtures.all();
  }

  /** Losses and gradients, by parameter, copied out of the model. */
  private record Result(double loss, Map<String, Tensor> gradients) {
    static Result of(CausalLM model, List<Batch> batches) {
      double loss = 0;
      for (Batch batch : batches) {
        LossSums sums = model.loss(batch);
        Autograd.backward(sums.loss());
        loss += sums.loss().item();
        batch.close();
      }
      Map<String, Tensor> gradients = new LinkedHashMap<>();
      model
          .namedParameters()
          .forEach((name, parameter) -> {
            gradients.put(name, parameter.grad().clone());
            parameter.setGrad(null);
          });
      return new Result(loss, gradients);
    }

    private static double largest(Map<String, Tensor> gradients) {
      return gradients.values().stream().mapToDouble(g -> g.norm().item()).max().orElseThrow();
    }

    void assertNear(Result other, String what) {
      assertEquals(other.loss, loss, LOSS * other.loss, what);
      // A gradient that is zero but for rounding, of a key's bias without rotation, has no relative
      // error.
      double least = 1e-2 * largest(other.gradients);
      gradients.forEach((name, gradient) -> {
        Tensor wanted = other.gradients.get(name);
        double norm = Math.max(least, wanted.norm().item());
        double distance = gradient.sub(wanted).norm().item() / norm;
        assertTrue(distance < GRADIENT, () -> what + ": " + name + " is off by " + distance);
      });
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void loseAndLearnTheSameInEveryFamily(Path directory) {
    try (PretrainedModel pretrained = PretrainedModel.load(directory, LoadOptions.stored());
        TensorScope _ = TensorScope.open()) {
      assertPackedIsAlone(pretrained.model(), directory.getFileName().toString());
    }
  }

  /** A dropout that is there, but drops next to nothing: attention by plain operations. */
  @Test
  void loseAndLearnTheSameInPlainAttention() {
    Map<String, Object> json = TinyModels.llamaJson("attention_dropout", 1e-7);
    try (CausalLM model = CausalLM.random(ModelConfig.fromHuggingFace(json), 3);
        TensorScope _ = TensorScope.open()) {
      model.setTraining(true);
      assertPackedIsAlone(model, "llama with dropout");
    }
  }

  @Test
  void withoutTheirBoundsTextsSeeEachOther() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 3);
        TensorScope _ = TensorScope.open()) {
      train(model);
      Batch packed = packed(model);
      Batch unbounded = Batch.of(rows(model), labels(model), 0);
      double loss = Result.of(model, List.of(packed)).loss;
      double mixed = Result.of(model, List.of(unbounded)).loss;
      assertTrue(Math.abs(mixed - loss) > 0.01 * loss, loss + " and " + mixed);
    }
  }

  @Test
  void aTextMustFitTheTableOfPositionsAndNotTheRow() {
    Map<String, Object> json = TinyModels.llamaJson();
    json.put("model_type", "gpt2");
    json.put("n_positions", 9);
    json.put("n_embd", 32);
    json.put("n_layer", 1);
    json.put("n_head", 4);
    json.put("layer_norm_epsilon", 1e-5);
    try (CausalLM model = CausalLM.random(ModelConfig.fromHuggingFace(json), 3);
        TensorScope _ = TensorScope.open();
        Batch fits = packed(model);
        Batch over = Batch.ofPacked(List.of(text(0, 61, 10)), List.of(text(0, 61, 10)), one(), 0)) {
      assertTrue(Double.isFinite(model.loss(fits).loss().item()));
      assertThrows(ConfigurationException.class, () -> model.loss(over));
    }
  }

  private static List<int[]> one() {
    return List.of(new int[] {0});
  }

  private static void assertPackedIsAlone(CausalLM model, String what) {
    train(model);
    int vocabulary = model.config().vocabSize();
    List<Batch> alone = new ArrayList<>();
    for (int i = 0; i < LENGTHS.length; i++) {
      int[] text = text(i, vocabulary, LENGTHS[i]);
      alone.add(Batch.of(List.of(text), List.of(text), 0));
    }
    Rng.seed(1);
    Result separate = Result.of(model, alone);
    Result together = Result.of(model, List.of(packed(model)));
    together.assertNear(separate, what);
  }

  private static void train(CausalLM model) {
    model.namedParameters().values().forEach(parameter -> parameter.requiresGrad(true));
  }

  private static Batch packed(CausalLM model) {
    List<int[]> starts = new ArrayList<>();
    for (int[] row : ROWS) {
      int[] ofRow = new int[row.length];
      for (int i = 1; i < row.length; i++) {
        ofRow[i] = ofRow[i - 1] + LENGTHS[row[i - 1]];
      }
      starts.add(ofRow);
    }
    return Batch.ofPacked(rows(model), labels(model), starts, 0);
  }

  private static List<int[]> rows(CausalLM model) {
    int vocabulary = model.config().vocabSize();
    return Stream.of(ROWS).map(row -> joined(row, vocabulary)).toList();
  }

  private static int[] joined(int[] row, int vocabulary) {
    return IntStream.of(row).flatMap(i -> IntStream.of(text(i, vocabulary, LENGTHS[i]))).toArray();
  }

  private static List<int[]> labels(CausalLM model) {
    List<int[]> labels = rows(model);
    for (int r = 0; r < ROWS.length; r++) {
      int start = 0;
      for (int i : ROWS[r]) {
        labels.get(r)[start] = Batch.IGNORED;
        start += LENGTHS[i];
      }
    }
    return labels;
  }

  private static int[] text(int index, int vocabulary, int length) {
    int[] ids = new int[length];
    Arrays.setAll(ids, t -> (7 * t * t + 11 * t * index + 3 * index + 1) % vocabulary);
    return ids;
  }
}
