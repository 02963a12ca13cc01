package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QuantizedModelTest {
  private static final QuantConfig NF4 = QuantConfig.qlora(DType.FLOAT32);

  @TempDir private Path temporary;

  private Path dense(ModelConfig config, DType dtype) {
    Path directory = temporary.resolve("dense");
    try (CausalLM model = CausalLM.random(config, 1)) {
      new ModelSaver(model, Optional.empty(), Map.of(), dtype).save(directory);
    }
    return directory;
  }

  private static float[] logits(CausalLM model) {
    try (TensorScope _ = TensorScope.open()) {
      return model.logits(Tensor.ofLongs(new long[] {3, 14, 15, 9, 26}, 1, 5)).toFloats();
    }
  }

  private static Set<String> denseLayers(CausalLM model) {
    return model
        .namedModules()
        .filter(entry -> entry.getValue() instanceof Linear)
        .map(Map.Entry::getKey)
        .collect(Collectors.toSet());
  }

  private static PretrainedModel load(Path directory, QuantConfig config) {
    return PretrainedModel.load(directory, LoadOptions.stored().withQuantization(config));
  }

  @Test
  void quantisesTheLinearLayersAndLeavesTheHead() {
    try (PretrainedModel loaded = load(dense(TinyModels.llama(), DType.FLOAT32), NF4)) {
      assertEquals(Set.of("lm_head"), denseLayers(loaded.model()));
      var layer =
          assertInstanceOf(
              QuantizedLinear.class, loaded.model().child("model.layers.1.mlp.down_proj"));
      assertEquals(48, layer.inFeatures());
      assertEquals(32, layer.outFeatures());
      assertEquals(QuantType.NF4, layer.weight().config().type());
      try (CausalLM same = CausalLM.random(TinyModels.llama(), 2)) {
        assertEquals(same.parameterCount(), loaded.model().parameterCount());
      }
    }
  }

  @Test
  void computesWithTheDequantisedWeights() {
    Path directory = dense(TinyModels.llama("attention_bias", true), DType.FLOAT32);
    try (PretrainedModel quantised = load(directory, NF4);
        PretrainedModel exact = PretrainedModel.load(directory, LoadOptions.stored())) {
      float[] before = logits(exact.model());
      quantised
          .model()
          .namedModules()
          .filter(entry -> entry.getValue() instanceof QuantizedLinear)
          .forEach(entry ->
              exact
                  .model()
                  .replaceParameter(
                      entry.getKey() + ".weight",
                      ((QuantizedLinear) entry.getValue()).weight().dequantize(DType.FLOAT32)));
      float[] expected = logits(exact.model());
      assertArrayEquals(expected, logits(quantised.model()), 1e-4f);
      assertTrue(Math.abs(expected[0] - before[0]) > 1e-3, "quantising must show");
    }
  }

  @Test
  void skipsWhatItIsToldTo() {
    QuantConfig skipping =
        new QuantConfig(
            QuantType.FP4,
            64,
            false,
            DType.FLOAT32,
            List.of("lm_head", "down_proj", "model.layers.0"));
    try (PretrainedModel loaded = load(dense(TinyModels.llama(), DType.FLOAT32), skipping)) {
      Set<String> dense = denseLayers(loaded.model());
      assertEquals(1 + 7 + 1, dense.size());
      assertTrue(dense.contains("model.layers.1.mlp.down_proj"));
      assertTrue(dense.contains("model.layers.0.self_attn.q_proj"));
    }
  }

  @Test
  void neverHoldsMoreThanTheModelAndOneWeightOfFullSize() {
    Map<String, Object> json = TinyModels.llamaJson("hidden_size", 256);
    json.put("intermediate_size", 1024);
    Path directory = dense(ModelConfig.fromHuggingFace(json), DType.FLOAT32);
    long before = NativeMemory.liveBytes();
    NativeMemory.resetPeak();
    try (PretrainedModel _ =
        PretrainedModel.load(
            directory,
            LoadOptions.stored()
                .withDtype(DType.BFLOAT16)
                .withQuantization(QuantConfig.qlora(DType.BFLOAT16)))) {
      long model = NativeMemory.liveBytes() - before;
      long peak = NativeMemory.peakBytes() - before;
      long largestWeight = 2L * 1024 * 256;
      long scales = 3 * 4 * largestWeight / 2 / 64;
      assertTrue(
          peak <= model + largestWeight + scales,
          "%d over %d and %d".formatted(peak, model, largestWeight));
      assertTrue(model < 14 * largestWeight, "4 bits a weight: " + model);
    }
  }

  @Test
  void savedIn4BitsItComesBack() {
    Path saved = temporary.resolve("saved");
    try (PretrainedModel loaded = load(dense(TinyModels.llama(), DType.FLOAT32), NF4)) {
      loaded.save(saved, DType.FLOAT32);
      Map<String, Object> json = StrictJson.readObject(saved.resolve("config.json"));
      Map<?, ?> stated = assertInstanceOf(Map.class, json.get("quantization_config"));
      assertEquals("nf4", stated.get("bnb_4bit_quant_type"));
      assertEquals(true, stated.get("bnb_4bit_use_double_quant"));
      assertEquals("float32", stated.get("bnb_4bit_compute_dtype"));
      try (PretrainedModel again = PretrainedModel.load(saved, LoadOptions.stored())) {
        assertEquals(denseLayers(loaded.model()), denseLayers(again.model()));
        assertArrayEquals(logits(loaded.model()), logits(again.model()));
      }
    }
  }

  @Test
  void storedIn4BitsItIsNotQuantisedAnew() {
    Path saved = temporary.resolve("saved");
    try (PretrainedModel loaded = load(dense(TinyModels.llama(), DType.FLOAT32), NF4)) {
      loaded.save(saved, DType.FLOAT32);
    }
    QuantConfig other = new QuantConfig(QuantType.FP4, 64, true, DType.FLOAT32, List.of());
    var error = assertThrows(ConfigurationException.class, () -> load(saved, other));
    assertEquals(
        "The model is stored in 4 bits already, as nf4 with double quantisation on; leave"
            + " load_in_4bit out, or ask for the same",
        error.getMessage());
    try (PretrainedModel again = load(saved, QuantConfig.qlora(DType.BFLOAT16))) {
      QuantizedLinear layer =
          (QuantizedLinear) again.model().child("model.layers.0.self_attn.q_proj");
      assertEquals(DType.BFLOAT16, layer.weight().config().computeDtype());
    }
  }

  @Test
  void namesThePartThatIsMissingOfA4BitWeight() {
    Path saved = temporary.resolve("saved");
    try (PretrainedModel loaded = load(dense(TinyModels.llama(), DType.FLOAT32), NF4)) {
      loaded.save(saved, DType.FLOAT32);
    }
    long before = TensorScope.liveTensors();
    try (TensorScope _ = TensorScope.open()) {
      Path weights = saved.resolve("model.safetensors");
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      TensorFile.read(weights).forEach((name, tensor) -> tensors.put(name, tensor.clone()));
      String part = "model.layers.1.mlp.up_proj.weight.nested_absmax";
      tensors.remove(part);
      TensorFile.write(weights, tensors);
      var error =
          assertThrows(
              FormatException.class, () -> PretrainedModel.load(saved, LoadOptions.stored()));
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
    assertEquals(before, TensorScope.liveTensors(), "a failed load leaves nothing");
  }

  @Test
  void gradientsReachTheInput() {
    try (PretrainedModel loaded = load(dense(TinyModels.llama(), DType.FLOAT32), NF4);
        TensorScope _ = TensorScope.open()) {
      var layer = (LinearLayer) loaded.model().child("model.layers.0.mlp.up_proj");
      Tensor input = Tensor.ones(DType.FLOAT32, 2, 32).requiresGrad(true);
      Autograd.backward(layer.forward(input).sum());
      assertTrue(input.grad().abs().sum().item() > 0);
    }
  }
}
