package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * 4-bit checkpoints as transformers saves them: they are read, and written to the same names and
 * bytes. That transformers loads what is written is shown by compare_bnb_checkpoints.py.
 */
class BnbCheckpointTest {
  @TempDir private Path directory;

  private static Path resource(String name) {
    try {
      return Path.of(BnbCheckpointTest.class.getResource("/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @CsvSource({"nf4_nested", "fp4_flat"})
  void logitsAreTransformers(String name) {
    Path fixture = resource("bnb/" + name);
    try (TensorScope _ = TensorScope.open();
        PretrainedModel model = PretrainedModel.load(fixture, LoadOptions.stored())) {
      Map<String, Tensor> expected = TensorFile.read(fixture.resolve("logits.safetensors"));
      float[] wanted = expected.get("logits").toFloats();
      float[] found = model.model().logits(expected.get("ids")).toFloats();
      float largest = 0;
      for (float value : wanted) {
        largest = Math.max(largest, Math.abs(value));
      }
      assertArrayEquals(wanted, found, 2e-5f * largest);
    }
  }

  @ParameterizedTest
  @CsvSource({"nf4_nested, NF4, true", "fp4_flat, FP4, false"})
  void quantisingGivesTheSameFile(String name, QuantType type, boolean nested) {
    QuantConfig config =
        new QuantConfig(type, QuantConfig.DEFAULT_BLOCK_SIZE, nested, DType.FLOAT32, List.of());
    LoadOptions options = LoadOptions.stored().withDtype(DType.FLOAT32).withQuantization(config);
    Path saved = directory.resolve("saved");
    try (PretrainedModel model = PretrainedModel.load(resource("parity/tied"), options)) {
      model.save(saved, DType.FLOAT32);
    }
    assertSame(resource("bnb/" + name), saved);
  }

  @ParameterizedTest
  @CsvSource({"nf4_nested", "fp4_flat"})
  void aCheckpointComesBackAsItWas(String name) {
    Path saved = directory.resolve("saved");
    try (PretrainedModel model =
        PretrainedModel.load(resource("bnb/" + name), LoadOptions.stored())) {
      model.save(saved, DType.FLOAT32);
    }
    assertSame(resource("bnb/" + name), saved);
  }

  private static void assertSame(Path expected, Path found) {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> wanted = TensorFile.read(expected.resolve("model.safetensors"));
      Map<String, Tensor> tensors = TensorFile.read(found.resolve("model.safetensors"));
      assertEquals(wanted.keySet(), tensors.keySet());
      wanted.forEach((key, tensor) -> {
        assertEquals(tensor.dtype(), tensors.get(key).dtype(), key);
        assertArrayEquals(tensor.shape(), tensors.get(key).shape(), key);
        assertArrayEquals(tensor.toBytes(), tensors.get(key).toBytes(), key);
      });
    }
    Map<String, Object> config = StrictJson.readObject(expected.resolve("config.json"));
    assertEquals(
        config.get("quantization_config"),
        StrictJson.readObject(found.resolve("config.json")).get("quantization_config"));
  }
}
