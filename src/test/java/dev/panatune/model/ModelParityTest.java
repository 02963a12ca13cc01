package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.PanatuneException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Logits and losses against those of transformers, of models on which every field matters. */
class ModelParityTest {
  private static final double TOLERANCE = 2e-5;

  @TempDir private Path temporary;

  private static PretrainedModel load(Path directory, DType dtype) {
    return PretrainedModel.load(directory, LoadOptions.stored().withDtype(dtype));
  }

  private static Tensor logits(PretrainedModel loaded, Tensor ids) {
    try (GradMode _ = GradMode.disable()) {
      return loaded.model().logits(ids);
    }
  }

  /** The largest difference, as a share of the largest of the expected. */
  private static double error(Tensor actual, Tensor expected) {
    return actual.sub(expected).abs().max().item() / expected.abs().max().item();
  }

  @ParameterizedTest
  @ValueSource(strings = {"untied", "tied"})
  void fp32LogitsAreTransformers(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(ModelFixtures.parity(name), DType.FLOAT32)) {
      Map<String, Tensor> golden =
          TensorFile.read(ModelFixtures.parity(name + "_logits.safetensors"));
      double error = error(logits(loaded, golden.get("input_ids")), golden.get("float32"));
      assertTrue(error <= TOLERANCE, () -> "off by " + error);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"untied", "tied"})
  void bf16LogitsAreAsNearToFp32AsTransformers(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(ModelFixtures.parity(name), DType.BFLOAT16)) {
      Map<String, Tensor> golden =
          TensorFile.read(ModelFixtures.parity(name + "_logits.safetensors"));
      Tensor exact = golden.get("float32");
      Tensor ours = logits(loaded, golden.get("input_ids")).to(DType.FLOAT32).sub(exact);
      Tensor theirs = golden.get("bfloat16").to(DType.FLOAT32).sub(exact);
      double ratio = ours.norm().item() / theirs.norm().item();
      assertTrue(ratio <= 1.15, () -> "further away, by a factor of " + ratio);
      assertTrue(ratio > 0.01, "bf16 must show");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"untied", "tied"})
  void lossIsTransformers(String name) {
    Map<String, Object> losses = StrictJson.readObject(ModelFixtures.parity("losses.json"));
    double expected = (Double) ((Map<?, ?>) losses.get(name)).get("float32");
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(ModelFixtures.parity(name), DType.FLOAT32)) {
      Tensor ids =
          TensorFile.read(ModelFixtures.parity(name + "_logits.safetensors")).get("input_ids");
      List<int[]> rows =
          LongStream.range(0, ids.size(0)).mapToObj(row -> ids.select(0, row).toInts()).toList();
      try (Batch batch = Batch.of(rows, rows, 0)) {
        double loss = loaded.model().loss(batch).loss().item() / batch.targetTokens();
        assertEquals(expected, loss, 1e-5 * expected);
      }
    }
  }

  @Test
  void logitsIn4BitsAreThoseOfBitsandbytes() {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(
                ModelFixtures.parity("untied"),
                LoadOptions.stored()
                    .withDtype(DType.FLOAT32)
                    .withQuantization(QuantConfig.qlora(DType.FLOAT32)))) {
      Map<String, Tensor> golden =
          TensorFile.read(ModelFixtures.parity("untied_adapter_4bit.safetensors"));
      double error = error(logits(loaded, golden.get("input_ids")), golden.get("base_logits"));
      assertTrue(error <= TOLERANCE, () -> "off by " + error);
    }
  }

  /** The fixtures are worth something only if a field that is read wrongly shows. */
  @ParameterizedTest
  @CsvSource({
    "rms_norm_eps, 1e-4",
    "num_attention_heads, 2",
    "num_key_value_heads, 2",
    "num_key_value_heads, 4",
    "head_dim, 8",
    "hidden_act, gelu",
    "attention_bias, false",
    "mlp_bias, false",
    "tie_word_embeddings, false",
    "num_hidden_layers, 1",
    "rope_type, default",
    "rope_type, linear",
    "rope_theta, 20000",
    "factor, 4",
    "low_freq_factor, 2",
    "high_freq_factor, 8",
    "original_max_position_embeddings, 32"
  })
  void everyFieldMatters(String key, String value) throws IOException {
    Path original = ModelFixtures.parity("tied");
    Map<String, Object> json =
        new LinkedHashMap<>(StrictJson.readObject(original.resolve("config.json")));
    Map<String, Object> rope = new LinkedHashMap<>();
    ((Map<?, ?>) json.get("rope_parameters")).forEach((k, v) -> rope.put((String) k, v));
    Object parsed = parsed(value);
    if (rope.containsKey(key)) {
      rope.put(key, parsed);
      json.put("rope_parameters", rope);
    } else {
      json.put(key, parsed);
    }
    Files.copy(original.resolve("model.safetensors"), temporary.resolve("model.safetensors"));
    AtomicFiles.writeString(temporary.resolve("config.json"), JsonText.of(json));

    assertTrue(isRefusedOrFarOff(temporary), key + " " + value + " makes no difference");
  }

  private static Object parsed(String value) {
    if (value.equals("false")) {
      return false;
    }
    return value.matches("[a-z]+") ? value : Double.valueOf(value);
  }

  private static boolean isRefusedOrFarOff(Path directory) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(directory, DType.FLOAT32)) {
      Map<String, Tensor> golden = TensorFile.read(ModelFixtures.parity("tied_logits.safetensors"));
      return error(logits(loaded, golden.get("input_ids")), golden.get("float32")) > 10 * TOLERANCE;
    } catch (PanatuneException e) {
      return true;
    }
  }
}
