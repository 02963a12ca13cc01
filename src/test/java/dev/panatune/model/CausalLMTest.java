package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.nn.KvCache;
import dev.panatune.nn.Linear;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CausalLMTest {
  private static Tensor ids(int rows, int length) {
    long[] values = new long[rows * length];
    Arrays.setAll(values, i -> (7L * i * i + 3L * i + 1) % 61);
    return Tensor.ofLongs(values, rows, length);
  }

  private static double difference(Tensor a, Tensor b) {
    return a.sub(b).abs().max().item() / b.abs().max().item();
  }

  @Test
  void hasTheParametersOfTheHuggingFaceModel() {
    try (CausalLM model = CausalLM.random(TinyModels.llama("attention_bias", true), 1)) {
      List<String> names = List.copyOf(model.namedParameters().keySet());
      assertEquals(1 + 2 * (4 * 2 + 3 + 2) + 1 + 1, names.size());
      assertTrue(
          names.containsAll(
              List.of(
                  "model.embed_tokens.weight",
                  "model.layers.0.self_attn.q_proj.weight",
                  "model.layers.0.self_attn.k_proj.bias",
                  "model.layers.1.mlp.gate_proj.weight",
                  "model.layers.1.input_layernorm.weight",
                  "model.layers.1.post_attention_layernorm.weight",
                  "model.norm.weight",
                  "lm_head.weight")));
      assertEquals(model.trainableParameters().size(), 0);
    }
  }

  @Test
  void tiedHeadIsTheEmbedding() {
    try (CausalLM model = CausalLM.random(TinyModels.llama("tie_word_embeddings", true), 1)) {
      assertFalse(model.namedParameters().containsKey("lm_head.weight"));
      assertTrue(model.parameter("lm_head.weight") == model.parameter("model.embed_tokens.weight"));
    }
  }

  @Test
  void randomWeightsDependOnTheSeedAloneAndLeaveTheGeneratorAlone() {
    byte[] generator = Rng.state();
    try (CausalLM one = CausalLM.random(TinyModels.llama(), 1);
        CausalLM again = CausalLM.random(TinyModels.llama(), 1);
        CausalLM two = CausalLM.random(TinyModels.llama(), 2);
        TensorScope _ = TensorScope.open()) {
      float[] first = one.logits(ids(1, 5)).toFloats();
      assertArrayEquals(first, again.logits(ids(1, 5)).toFloats());
      assertNotEquals(first[0], two.logits(ids(1, 5)).toFloats()[0]);
    }
    assertArrayEquals(generator, Rng.state());
  }

  @Test
  void cachedLogitsEqualUncachedOnes() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 3);
        TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        KvCache cache = model.newCache(24)) {
      Tensor ids = ids(2, 24);
      Tensor all = model.logits(ids);
      long done = 0;
      for (int step : new int[] {9, 1, 1, 4, 1, 8}) {
        Tensor next = model.nextLogits(ids.narrow(1, done, step), cache);
        done += step;
        assertTrue(difference(next, all.select(1, done - 1)) < 1e-5, "after " + done);
      }
      assertEquals(24, cache.length());
    }
  }

  @Test
  void laterTokensDoNotChangeEarlierLogits() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 3);
        TensorScope _ = TensorScope.open()) {
      Tensor ids = ids(1, 12);
      Tensor all = model.logits(ids).narrow(1, 0, 7);
      Tensor some = model.logits(ids.narrow(1, 0, 7));
      assertTrue(difference(some, all) < 1e-5);
    }
  }

  @Test
  void partsMakeTheWhole() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 4);
        TensorScope _ = TensorScope.open()) {
      Tensor ids = ids(2, 10);
      Positions positions = model.positions(0, 10);
      Tensor hidden = model.embed(ids);
      for (int i = 0; i < model.layers().size(); i++) {
        hidden = model.layer(i, hidden, positions);
      }
      Tensor normed = model.finalNorm(hidden);
      assertArrayEquals(model.hiddenStates(ids).toFloats(), normed.toFloats());
      assertArrayEquals(model.logits(ids).toFloats(), model.head().forward(normed).toFloats());
    }
  }

  @Test
  void lossIsTheNegativeLogLikelihoodOfTheTargets() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 5);
        TensorScope _ = TensorScope.open();
        Batch batch =
            Batch.of(
                List.of(new int[] {1, 5, 9, 13, 17}, new int[] {2, 4}),
                List.of(new int[] {-100, -100, 9, 13, 17}, new int[] {2, 4}),
                0)) {
      float[] logProbabilities = model.logits(batch.ids()).logSoftmax(-1).toFloats();
      double expected = 0;
      int[][] rowsAndTargets = {{1, 9}, {2, 13}, {3, 17}, {5, 4}};
      for (int[] pair : rowsAndTargets) {
        expected -= logProbabilities[pair[0] * 61 + pair[1]];
      }
      LossSums sums = model.loss(batch);
      assertEquals(expected, sums.loss().item(), 1e-5 * expected);
    }
  }

  @Test
  void countsTargetsThatAreTheLikeliest() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 5);
        TensorScope _ = TensorScope.open()) {
      Tensor hidden = model.hiddenStates(ids(1, 6));
      long[] likeliest = model.head().forward(hidden).argmax(-1).toLongs();
      long[] targets = {likeliest[0], (likeliest[2] + 1) % 61, likeliest[5]};
      Tensor rows = Tensor.ofLongs(new long[] {0, 2, 5}, 3);
      assertEquals(2, model.loss(hidden, rows, Tensor.ofLongs(targets, 3)).correct().itemLong());
    }
  }

  @Test
  void wrappedHeadHasTheSameLossAndGradients() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 6);
        TensorScope _ = TensorScope.open()) {
      Tensor hidden = Tensor.randn(DType.FLOAT32, 1, 700, 32).requiresGrad(true);
      Tensor rows = Tensor.arange(20, 680, DType.INT64);
      Tensor targets = ids(1, 660).reshape(660);
      Tensor weight = model.parameter("lm_head.weight").requiresGrad(true);

      LossSums fused = model.loss(hidden, rows, targets);
      Autograd.backward(fused.loss());
      Tensor fusedGradient = hidden.grad();
      Tensor fusedWeightGradient = weight.grad();
      hidden.setGrad(null);
      weight.setGrad(null);

      model.replaceChild("lm_head", new WrappedLinear((Linear) model.child("lm_head")));
      LossSums plain = model.loss(hidden, rows, targets);
      Autograd.backward(plain.loss());

      assertEquals(plain.loss().item(), fused.loss().item(), 1e-5 * plain.loss().item());
      assertEquals(plain.correct().itemLong(), fused.correct().itemLong());
      assertTrue(difference(fusedGradient, hidden.grad()) < 1e-5);
      assertTrue(difference(fusedWeightGradient, weight.grad()) < 1e-5);
    }
  }

  @Test
  void forwardLeavesNothingButItsResult() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 7);
        TensorScope scope = TensorScope.open()) {
      model.setTrainable(true);
      Tensor ids = ids(1, 8);
      int before = scope.size();
      model.hiddenStates(ids);
      assertEquals(before + 1, scope.size());
      model.logits(ids);
      assertEquals(before + 2, scope.size());
      model.layer(0, model.embed(ids), model.positions(0, 8));
      assertEquals(before + 2 + 4, scope.size());
    }
  }

  @Test
  void closingFreesTheModel() {
    long before = TensorScope.liveTensors();
    CausalLM.random(TinyModels.llama("tie_word_embeddings", true), 1).close();
    assertEquals(before, TensorScope.liveTensors());
  }
}
