package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.TensorFile;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
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

  @ParameterizedTest
  @ValueSource(
      strings = {
        "qwen2",
        "qwen3",
        "smollm3",
        "gemma2",
        "gemma3",
        "phi3",
        "granite",
        "olmo2",
        "gpt2",
        "gpt_neox"
      })
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
