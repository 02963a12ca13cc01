package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.PanatuneException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.GgmlType;
import dev.panatune.format.GgufFile;
import dev.panatune.format.GgufTensorInfo;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every family's GGUF form (src/test/python/make_gguf_families.py). */
@ExtendWith(OneThread.class)
class GgufFamiliesTest {
  private static final String MODEL = "model.";

  @TempDir private Path directory;

  private static Path file(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(GgufFamiliesTest.class.getResource("/gguf/" + name)).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  private static List<String> families() {
    return List.of(
        "llama",
        "qwen2",
        "qwen3",
        "smollm3",
        "gemma2",
        "gemma3",
        "phi3",
        "granite",
        "olmo2",
        "gpt2",
        "gpt_neox");
  }

  @ParameterizedTest
  @MethodSource("families")
  void isTheModelThatWasWritten(String name) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel loaded =
            PretrainedModel.load(
                file(name + ".gguf"), LoadOptions.stored().withDtype(DType.FLOAT32))) {
      Map<String, Tensor> expected = TensorFile.read(file(name + ".safetensors"));
      Map<String, Tensor> parameters = new LinkedHashMap<>(loaded.model().namedParameters());
      expected.forEach((key, tensor) -> {
        if (key.startsWith(MODEL)) {
          Tensor read = parameters.remove(key.substring(MODEL.length()));
          // A norm that is stored plus 1 has lost its last bits.
          double error = read.sub(tensor).abs().max().item();
          assertTrue(error <= 1e-7, "%s differs by %e".formatted(key, error));
        }
      });
      assertEquals(Map.of(), parameters);
      double error =
          FamilyFixtures.difference(
              loaded.model().logits(expected.get("ids")), expected.get("logits"));
      assertTrue(error <= 2e-5, "logits differ by " + error);

      loaded.save(directory.resolve(name), DType.FLOAT32);
      try (PretrainedModel again =
          PretrainedModel.load(directory.resolve(name), LoadOptions.stored())) {
        assertTrue(
            again
                .model()
                .logits(expected.get("ids"))
                .equal(loaded.model().logits(expected.get("ids"))));
      }
    }
  }

  /** Against the gguf package's file, of which transformers reads the same model. */
  @ParameterizedTest
  @MethodSource("families")
  void isWrittenAgainToTheSameBytes(String name) {
    GgufFile expected = GgufFile.open(file(name + ".gguf"));
    Path copy = directory.resolve("copy.gguf");
    try (PretrainedModel loaded =
        PretrainedModel.load(file(name + ".gguf"), LoadOptions.stored().withDtype(DType.FLOAT32))) {
      loaded.saveGguf(copy, GgmlType.F16);
    }
    GgufFile found = GgufFile.open(copy);
    assertEquals(expected.tensors().keySet(), found.tensors().keySet());
    try (Arena arena = Arena.ofConfined()) {
      for (GgufTensorInfo info : expected.tensors().values()) {
        GgufTensorInfo other = found.tensor(info.name());
        assertArrayEquals(info.shape(), other.shape(), info.name());
        if (info.name().equals("position_embd.weight")) {
          assertEquals(GgmlType.F32, other.type());
        } else {
          assertEquals(info.type(), other.type(), info.name());
          byte[] bytes = found.map(info.name(), arena).toArray(ValueLayout.JAVA_BYTE);
          byte[] stated = expected.map(info.name(), arena).toArray(ValueLayout.JAVA_BYTE);
          assertArrayEquals(stated, bytes, info.name());
        }
      }
    }
    String prefix = expected.metadata().get("general.architecture") + ".";
    expected
        .metadata()
        .forEach((key, value) -> {
          if (key.startsWith(prefix)) {
            assertEquals(value, found.metadata().get(key), key);
          }
        });
  }

  /** Changes each field in turn: the model must be refused, or come back from GGUF as it was. */
  @ParameterizedTest
  @MethodSource("families")
  void whatItsConfigurationSaysComesBackOrIsRefused(String name) throws IOException {
    Path changed = directory.resolve("changed");
    Path copy = directory.resolve("copy.gguf");
    LoadOptions fp32 = LoadOptions.stored().withDtype(DType.FLOAT32);
    try (PretrainedModel loaded = PretrainedModel.load(file(name + ".gguf"), fp32)) {
      loaded.save(changed, DType.FLOAT32);
    }
    Map<String, Object> json = StrictJson.readObject(changed.resolve("config.json"));
    int written = 0;
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      Tensor ids = TensorFile.read(file(name + ".safetensors")).get("ids");
      for (Change change : Change.of(json, Set.of("model_type"))) {
        AtomicFiles.writeString(changed.resolve("config.json"), JsonText.of(change.json()));
        Files.deleteIfExists(copy);
        try (TensorScope _ = TensorScope.open()) {
          Tensor expected;
          try (PretrainedModel loaded = PretrainedModel.load(changed, fp32)) {
            expected = loaded.model().logits(ids);
            loaded.saveGguf(copy, GgmlType.F32);
          } catch (PanatuneException refused) {
            assertFalse(refused.getMessage().isBlank());
            continue;
          }
          try (PretrainedModel again = PretrainedModel.load(copy, fp32)) {
            double error = FamilyFixtures.difference(again.model().logits(ids), expected);
            assertTrue(error <= 2e-5, change.what() + ": logits differ by " + error);
            written++;
          }
        }
      }
    }
    assertTrue(written > 3, "only " + written + " changes were written");
  }

  private static List<Path> fixtures() {
    return FamilyFixtures.all();
  }

  @ParameterizedTest
  @MethodSource("fixtures")
  void whatHasNoFormIsRefusedByName(Path fixture) {
    Map<String, String> refused =
        Map.ofEntries(
            Map.entry("llama_dynamic", "rope_type dynamic"),
            Map.entry("llama_yarn", "beta_fast"),
            Map.entry("llama_longrope", "rope_type longrope"),
            Map.entry("qwen2", "sliding_window"),
            Map.entry("qwen3", "attention_bias: true"),
            Map.entry("smollm3", "mlp_bias"),
            Map.entry("gemma2", "attention scores times"),
            Map.entry("gemma3", "attention scores times"),
            Map.entry("olmo2", "attention_bias: true"),
            Map.entry("gpt2", "scale_attn_by_inverse_layer_idx"),
            Map.entry("gpt_neox_serial", "hidden_act GELU_TANH"));
    Path file = directory.resolve("model.gguf");
    String reason = refused.get(fixture.getFileName().toString());
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel loaded = PretrainedModel.load(fixture, LoadOptions.stored())) {
      if (reason != null) {
        String message =
            assertThrows(ConfigurationException.class, () -> loaded.saveGguf(file, GgmlType.F32))
                .getMessage();
        assertTrue(message.contains(reason), message);
        return;
      }
      loaded.saveGguf(file, GgmlType.F32);
      try (PretrainedModel again = PretrainedModel.load(file, LoadOptions.stored())) {
        Map<String, Tensor> expected = FamilyFixtures.expected(fixture);
        Tensor logits = again.model().logits(expected.get("ids"));
        double error = FamilyFixtures.difference(logits, expected.get("logits"));
        assertTrue(error <= 2e-5, "logits differ by " + error);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "gpt_neox", "gemma2", "granite"})
  void layoutGoesBothWays(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(
                file(name + ".gguf"), LoadOptions.stored().withDtype(DType.FLOAT32))) {
      ModelConfig config = loaded.model().config();
      GgufLayout layout = new GgufLayout(config);
      GgufNames names = new GgufNames(config.family());
      loaded
          .model()
          .namedParameters()
          .forEach((key, tensor) -> {
            String stored = names.gguf(key).orElseThrow();
            assertEquals(key, names.huggingFace(stored).orElseThrow());
            Tensor back = layout.inModel(key, layout.stored(key, tensor));
            assertTrue(back.sub(tensor).abs().max().item() <= 1e-6, key);
          });
    }
  }
}
