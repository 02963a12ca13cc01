package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import dev.panatune.format.SafetensorsFile;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ModelConfig;
import dev.panatune.model.TinyModels;
import dev.panatune.nn.Linear;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(NoLeaks.class)
class PeftModelTest {
  private static final long[] IDS = {5, 17, 33, 60, 2, 8};

  @TempDir Path directory;

  @BeforeEach
  void seed() {
    Rng.seed(3);
  }

  @Test
  void aFreshAdapterChangesNothingAndOnlyItIsTrained() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      float[] before = logits(model);
      PeftModel adapted = PeftModel.create(model, LoraConfig.of(4, 8));
      assertArrayEquals(before, logits(model));
      assertEquals(2 * 7 * 2, adapted.parameters().size());
      assertEquals(model.trainableParameters().keySet(), adapted.parameters().keySet());
      assertTrue(adapted.parameters().containsKey("model.layers.0.self_attn.q_proj.lora_A.weight"));
      assertTrue(adapted.parameters().values().stream().allMatch(p -> p.dtype() == DType.FLOAT32));

      Autograd.backward(model.logits(ids()).pow(2).mean());
      assertTrue(adapted.parameters().values().stream().allMatch(p -> p.grad() != null));
    }
  }

  @Test
  void initialWeightsAreThoseOfPeft() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      PeftModel.create(model, LoraConfig.of(64, 8));
      LoraLinear layer = (LoraLinear) model.child("model.layers.0.mlp.up_proj");
      assertEquals(0, layer.loraB().abs().max().item());
      double bound = 1 / Math.sqrt(32);
      double largest = layer.loraA().abs().max().item();
      assertTrue(largest <= bound && largest > 0.95 * bound, "largest " + largest);
    }
  }

  @Test
  void targetsAreChosenByNameExpressionAndExclusion() {
    assertEquals(
        Set.of("self_attn.q_proj", "self_attn.v_proj"),
        adaptedBy(TargetModules.of("q_proj", "v_proj")));
    assertEquals(
        Set.of("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
        adaptedBy(TargetModules.parse("model\\.layers\\.\\d\\.mlp\\..*")));
    assertEquals(7, adaptedBy(TargetModules.allLinear()).size());
  }

  @Test
  void targetsThatCannotBeAdaptedAreNamed() {
    assertRefused(TargetModules.of("query"), "q_proj");
    assertRefused(TargetModules.of("input_layernorm"), "RmsNorm");
  }

  @Test
  void whatIsSavedIsReadBackAlike() {
    float[] expected;
    LoraConfig config =
        LoraConfig.of(4, 8).withBias(LoraBias.ALL).withModulesToSave("lm_head", "norm");
    ModelConfig tiny = TinyModels.llama("attention_bias", true);
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(tiny, 1)) {
      PeftModel adapted = PeftModel.create(model, config);
      randomise(adapted);
      expected = logits(model);
      adapted.save(directory, "some/base");
    }
    Set<String> keys =
        SafetensorsFile.open(directory.resolve("adapter_model.safetensors")).tensors().keySet();
    assertTrue(
        keys.contains("base_model.model.model.layers.1.self_attn.q_proj.base_layer.bias"),
        keys.toString());
    assertTrue(keys.contains("base_model.model.lm_head.weight"), keys.toString());
    assertTrue(keys.contains("base_model.model.model.norm.weight"), keys.toString());

    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(tiny, 1)) {
      PeftModel adapted = PeftModel.load(model, directory, false);
      assertArrayEquals(expected, logits(model));
      assertFalse(model.logits(ids()).requiresGrad());
      assertEquals(config, adapted.config());
      adapted.mergeAndUnload(MergeOptions.DENSE);
      assertClose(expected, logits(model));
    }
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(tiny, 1)) {
      PeftModel adapted = PeftModel.load(model, directory, true);
      assertArrayEquals(expected, logits(model));
      assertTrue(adapted.parameters().values().stream().allMatch(Tensor::requiresGrad));
    }
  }

  @Test
  void aTiedHeadThatIsTrainedWholeLeavesTheEmbeddingsAlone() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama("tie_word_embeddings", true), 1)) {
      PeftModel adapted = PeftModel.create(model, LoraConfig.of(4, 8).withModulesToSave("lm_head"));
      try (GradMode _ = GradMode.disable()) {
        adapted.parameters().get("lm_head.weight").fill_(0);
      }
      assertEquals(0, model.logits(ids()).abs().max().item());
      assertNotEquals(0, model.embed(ids()).abs().max().item());
      adapted.mergeAndUnload(MergeOptions.DENSE);
      assertEquals(0, model.logits(ids()).abs().max().item());
      assertNotEquals(0, model.embed(ids()).abs().max().item());
    }
  }

  @Test
  void dropoutActsInTrainingAlone() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      PeftModel adapted = PeftModel.create(model, LoraConfig.of(4, 8).withDropout(0.5));
      randomise(adapted);
      float[] still = logits(model);
      assertArrayEquals(still, logits(model));
      adapted.setTraining(true);
      assertFalse(java.util.Arrays.equals(still, logits(model)));
      adapted.setTraining(false);
      assertArrayEquals(still, logits(model));
    }
  }

  @Test
  void aDisabledAdapterTakesNoPart() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      float[] base = logits(model);
      PeftModel adapted = PeftModel.create(model, LoraConfig.of(4, 8));
      randomise(adapted);
      assertFalse(java.util.Arrays.equals(base, logits(model)));
      adapted.setEnabled(false);
      assertArrayEquals(base, logits(model));
    }
  }

  @Test
  void mergingGivesAPlainModelOfTheSameLogits() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama("mlp_bias", true), 1)) {
      PeftModel adapted = PeftModel.create(model, LoraConfig.of(4, 8));
      randomise(adapted);
      float[] expected = logits(model);
      MergeReport report = adapted.mergeAndUnload(MergeOptions.DENSE);
      assertClose(expected, logits(model));
      assertEquals(Linear.class, model.child("model.layers.0.mlp.up_proj").getClass());
      assertEquals(14, report.layers().size());
      assertEquals(0, report.overall(), "nothing is rounded in float32");
      assertThrows(ConfigurationException.class, () -> adapted.save(directory, null));
    }
  }

  @Test
  void theDriftOfARoundedMergeIsThatOfItsType() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      PeftModel adapted = PeftModel.create(model, LoraConfig.of(4, 8));
      randomise(adapted);
      MergeReport report = adapted.mergeAndUnload(new MergeOptions(DType.BFLOAT16, false));
      assertTrue(report.overall() > 5e-4 && report.overall() < 4e-3, "" + report.overall());
      Linear layer = (Linear) model.child("model.layers.0.mlp.up_proj");
      assertEquals(DType.BFLOAT16, layer.weight().dtype());
    }
  }

  @Test
  void anAdapterOfAnotherBaseIsRefusedWithItsShapes() {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1);
        CausalLM wider = CausalLM.random(TinyModels.llama("intermediate_size", 64), 1);
        CausalLM deeper = CausalLM.random(TinyModels.llama("num_hidden_layers", 3), 1)) {
      PeftModel.create(model, LoraConfig.of(4, 8)).save(directory, null);
      var shapes =
          assertThrows(FormatException.class, () -> PeftModel.load(wider, directory, false));
      assertTrue(
          shapes.getMessage().contains("[48, 4]") || shapes.getMessage().contains("[4, 48]"),
          shapes.getMessage());
      assertTrue(shapes.getMessage().contains("another base"), shapes.getMessage());
      var missing =
          assertThrows(FormatException.class, () -> PeftModel.load(deeper, directory, false));
      assertTrue(missing.getMessage().contains("model.layers.2."), missing.getMessage());
    }
  }

  @Test
  void brokenAdaptersAreRefusedByName() throws IOException {
    assertBroken("adapter_config.json");
    Files.writeString(directory.resolve("adapter_config.json"), "{\"r\": 4}");
    assertBroken("peft_type");
    Files.writeString(
        directory.resolve("adapter_config.json"),
        "{\"peft_type\": \"LORA\", \"use_qalora\": true}");
    assertBroken("use_qalora");
    Files.writeString(
        directory.resolve("adapter_config.json"),
        "{\"peft_type\": \"LORA\", \"from_the_future\": 1}");
    assertBroken("adapter_model.safetensors");
    Files.writeString(directory.resolve("adapter_model.bin"), "");
    assertBroken("adapter_model.bin");
    Files.writeString(directory.resolve("adapter_model.safetensors"), "cut");
    assertBroken("adapter_model.safetensors");
  }

  private void assertBroken(String part) {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      var error =
          assertThrows(PanatuneException.class, () -> PeftModel.load(model, directory, false));
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
  }

  private static void assertRefused(TargetModules targets, String part) {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      LoraConfig config = LoraConfig.of(4, 8).withTargetModules(targets);
      var error = assertThrows(ConfigurationException.class, () -> PeftModel.create(model, config));
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
  }

  /** The layers of block 0 that are adapted. */
  private static Set<String> adaptedBy(TargetModules targets) {
    try (TensorScope _ = TensorScope.open();
        CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      PeftModel.create(model, LoraConfig.of(2, 2).withTargetModules(targets));
      Set<String> found = new TreeSet<>();
      String block = "model.layers.0.";
      model
          .namedModules()
          .filter(entry -> entry.getValue() instanceof LoraLinear)
          .filter(entry -> entry.getKey().startsWith(block))
          .forEach(entry -> found.add(entry.getKey().substring(block.length())));
      return found;
    }
  }

  private static void randomise(PeftModel adapted) {
    try (GradMode _ = GradMode.disable()) {
      for (Tensor parameter : List.copyOf(adapted.parameters().values())) {
        parameter.copy_(Tensor.randn(DType.FLOAT32, parameter.shape()).mul(0.2));
      }
    }
  }

  private static Tensor ids() {
    return Tensor.ofLongs(IDS, 1, IDS.length);
  }

  private static float[] logits(CausalLM model) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      return model.logits(ids()).toFloats();
    }
  }

  private static void assertClose(float[] expected, float[] found) {
    double largest = 0;
    for (float value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], 2e-5 * largest, "logit " + i);
    }
  }
}
