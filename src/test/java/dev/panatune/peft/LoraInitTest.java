package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.PretrainedModel;
import dev.panatune.model.TinyModels;
import dev.panatune.nn.Linear;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(NoLeaks.class)
class LoraInitTest {
  private static final String LAYER = "model.layers.0.mlp.up_proj";

  @BeforeEach
  void seed() {
    Rng.seed(5);
  }

  @ParameterizedTest
  @ValueSource(strings = {"gaussian", "orthogonal", "pissa", "pissa_niter_16", "olora"})
  void aFreshAdapterChangesNothing(String init) {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      Tensor before = logits(model);
      PeftModel.create(model, config(init));
      assertClose(before, logits(model), 2e-5);
    }
  }

  @Test
  void randomFactorsChangeTheModelFromTheStart() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      Tensor before = logits(model);
      PeftModel.create(model, config(false));
      assertTrue(logits(model).sub(before).abs().max().item() > 1e-3);
      double bound = 1 / Math.sqrt(4);
      double largest = layer(model).loraB().abs().max().item();
      assertTrue(largest <= bound && largest > 0.9 * bound, "largest of B: " + largest);
    }
  }

  @Test
  void gaussianFactorsHaveADeviationOfOneOverTheRank() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      PeftModel.create(model, config("gaussian").with("r", 32));
      Tensor a = layer(model).loraA();
      double deviation = a.pow(2).mean().sqrt().item();
      assertEquals(1.0 / 32, deviation, 0.05 / 32);
      assertEquals(0, layer(model).loraB().abs().max().item());
    }
  }

  /** Neither factor is zero, but their product is; rows of A lie in half of the rank's space. */
  @Test
  void orthogonalFactorsHaveAProductOfZero() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      PeftModel.create(model, config("orthogonal"));
      LoraLinear layer = layer(model);
      assertTrue(layer.loraA().abs().max().item() > 0.05);
      assertTrue(layer.loraB().abs().max().item() > 0.05);
      assertEquals(0, layer.loraB().mm(layer.loraA()).abs().max().item(), 1e-6);
    }
    assertRefused(config("orthogonal").with("r", 3), "even rank");
  }

  /** The factors are the best approximation of their rank: what is left has no larger value. */
  @ParameterizedTest
  @ValueSource(strings = {"pissa", "pissa_niter_16"})
  void pissaTakesTheLargestSingularValues(String init) {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      Tensor weight = ((Linear) model.child(LAYER)).weight().clone();
      PeftModel.create(model, config(init));
      LowRankSvd exact = LowRankSvd.of(weight, 32, 40);
      double rest = 0;
      float[] values = exact.values().toFloats();
      for (int i = 4; i < values.length; i++) {
        rest += values[i] * values[i];
      }
      Tensor residual = ((Linear) layer(model).base()).weight();
      assertEquals(Math.sqrt(rest), residual.norm().item(), 1e-2 * Math.sqrt(rest));
    }
  }

  @Test
  void pissaOnA4BitBaseIsRefused() {
    LoraFixtures.Case nf4 = LoraFixtures.named("nf4_flat");
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = nf4.load()) {
      var error =
          assertThrows(
              ConfigurationException.class,
              () -> PeftModel.create(loaded.model(), config("pissa")));
      assertTrue(error.getMessage().contains("4 bits"), error.getMessage());
    }
  }

  @Test
  void dorasMagnitudesStartAsTheNorms() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      Tensor before = logits(model);
      LoraConfig config = LoraConfig.of(4, 8).with("use_dora", true);
      PeftModel adapted = PeftModel.create(model, config);
      assertClose(before, logits(model), 1e-5);
      assertEquals(3 * 14, adapted.parameters().size());
    }
  }

  @Test
  void optionsThatDoNotFitTheModelAreNamed() {
    LoraConfig plain = LoraConfig.of(4, 8);
    assertRefused(
        plain.with(Map.of("target_modules", List.of("embed_tokens"), "lora_bias", true)),
        "embedding");
    assertRefused(plain.with("trainable_token_indices", List.of(3, 100000)), "no token 100000");
    assertRefused(plain.with("trainable_token_indices", Map.of("up_down", List.of(1))), "up_down");
    assertRefused(plain.with("trainable_token_indices", Map.of("norm", List.of(1))), "RmsNorm");
    assertRefused(
        plain.with(
            Map.of(
                "target_modules", List.of("embed_tokens"), "trainable_token_indices", List.of(1))),
        "target_modules too");
    assertRefused(plain.with("exclude_modules", ".*"), "excluded");
  }

  private static LoraConfig config(Object init) {
    return LoraConfig.of(4, 6).with("init_lora_weights", init);
  }

  private static LoraLinear layer(CausalLM model) {
    return (LoraLinear) model.child(LAYER);
  }

  private static void assertRefused(LoraConfig config, String part) {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      var error = assertThrows(ConfigurationException.class, () -> PeftModel.create(model, config));
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
  }

  private static Tensor logits(CausalLM model) {
    try (GradMode _ = GradMode.disable()) {
      return model.logits(Tensor.ofLongs(new long[] {5, 17, 33, 60, 2, 8}, 1, 6));
    }
  }

  private static void assertClose(Tensor expected, Tensor found, double tolerance) {
    double error = found.sub(expected).abs().max().item() / expected.abs().max().item();
    assertTrue(error <= tolerance, "off by " + error);
  }
}
