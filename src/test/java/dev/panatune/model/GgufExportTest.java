package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.GgmlType;
import dev.panatune.format.GgufFile;
import dev.panatune.format.GgufTensorInfo;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Models written as GGUF come back the same. That Python reads the same logits is shown by
 * compare_gguf_export.py; here a file of the gguf package, of which transformers' logits are a
 * fixture, is written again to the same bytes.
 */
class GgufExportTest {
  private static final String TEXT = "Hello world, 12345 the other! äöü 日本 <|im_start|>user\n";

  @TempDir private Path directory;

  private static Path resource(String name) {
    try {
      return Path.of(GgufExportTest.class.getResource("/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  private static float[] logits(PretrainedModel model) {
    try (TensorScope _ = TensorScope.open()) {
      return model.model().logits(Tensor.ofLongs(new long[] {3, 14, 15, 92, 65}, 1, 5)).toFloats();
    }
  }

  private static Map<String, byte[]> data(GgufFile file) {
    Map<String, byte[]> data = new HashMap<>();
    try (Arena arena = Arena.ofConfined()) {
      for (GgufTensorInfo info : file.tensors().values()) {
        data.put(info.name(), file.map(info.name(), arena).toArray(ValueLayout.JAVA_BYTE));
      }
    }
    return data;
  }

  @ParameterizedTest
  @ValueSource(strings = {"parity/tied", "parity/untied"})
  void aModelComesBackWithItsTokenizer(String name) {
    LoadOptions fp32 = LoadOptions.stored().withDtype(DType.FLOAT32);
    Path file = directory.resolve("model.gguf");
    try (PretrainedModel model = PretrainedModel.load(resource(name), fp32)) {
      model.saveGguf(file, GgmlType.F32);
      try (PretrainedModel found = PretrainedModel.load(file, fp32)) {
        assertArrayEquals(logits(model), logits(found));
        assertArrayEquals(
            model.tokenizer().encode(TEXT, true), found.tokenizer().encode(TEXT, true));
        assertEquals(model.tokenizer().chatTemplate(), found.tokenizer().chatTemplate());
        assertEquals(model.tokenizer().eosIds(), found.tokenizer().eosIds());
        assertEquals(
            model.tokenizer().specialTokens().get("pad_token"),
            found.tokenizer().specialTokens().get("pad_token"));
      }
    }
  }

  @Test
  void aFileOfTheGgufPackageIsWrittenAgainToTheSameBytes() {
    Path original = resource("model/llama31.gguf");
    Path copy = directory.resolve("copy.gguf");
    try (PretrainedModel model = PretrainedModel.load(original, LoadOptions.stored())) {
      model.saveGguf(copy, GgmlType.F16);
    }
    GgufFile expected = GgufFile.open(original);
    GgufFile found = GgufFile.open(copy);
    Map<String, byte[]> expectedData = data(expected);
    Map<String, byte[]> foundData = data(found);
    assertEquals(expectedData.keySet(), foundData.keySet());
    for (GgufTensorInfo info : expected.tensors().values()) {
      // Vectors are F32 in what is written, as llama.cpp wants them.
      if (info.type() == found.tensor(info.name()).type()) {
        assertArrayEquals(info.shape(), found.tensor(info.name()).shape(), info.name());
        assertArrayEquals(expectedData.get(info.name()), foundData.get(info.name()), info.name());
      } else {
        assertEquals(1, info.shape().length);
      }
    }
    expected
        .metadata()
        .forEach((key, value) -> {
          if (!key.startsWith("general.")
              && !key.equals("tokenizer.ggml.pre")
              && !key.equals("tokenizer.ggml.token_type")) {
            assertEquals(value, found.metadata().get(key), key);
          }
        });
  }

  @Test
  void rowsThatAreNoWholeBlocksStayInF16() {
    Path file = directory.resolve("model.gguf");
    try (PretrainedModel model =
        PretrainedModel.load(resource("parity/untied"), LoadOptions.stored())) {
      model.saveGguf(file, GgmlType.Q8_0);
      GgufFile found = GgufFile.open(file);
      assertEquals(GgmlType.Q8_0, found.tensor("token_embd.weight").type());
      assertEquals(GgmlType.F16, found.tensor("blk.0.ffn_down.weight").type());
      assertEquals(GgmlType.F32, found.tensor("blk.0.attn_norm.weight").type());
      try (PretrainedModel loaded = PretrainedModel.load(file, LoadOptions.stored())) {
        float[] expected = logits(model);
        float[] actual = logits(loaded);
        double error = 0;
        double size = 0;
        for (int i = 0; i < expected.length; i++) {
          error = Math.max(error, Math.abs(expected[i] - actual[i]));
          size = Math.max(size, Math.abs(expected[i]));
        }
        assertTrue(error < 0.15 * size, error + " of " + size);
      }
    }
  }

  @Test
  void weightsInFourBitsAreDecoded() {
    LoadOptions options =
        LoadOptions.stored()
            .withDtype(DType.FLOAT32)
            .withQuantization(QuantConfig.qlora(DType.FLOAT32));
    Path file = directory.resolve("model.gguf");
    try (PretrainedModel model = PretrainedModel.load(resource("parity/untied"), options)) {
      model.saveGguf(file, GgmlType.F32);
      try (PretrainedModel loaded = PretrainedModel.load(file, LoadOptions.stored())) {
        float[] expected = logits(model);
        float[] actual = logits(loaded);
        for (int i = 0; i < expected.length; i++) {
          assertEquals(expected[i], actual[i], 1e-3);
        }
      }
    }
  }

  @Test
  void typesThatAreNotWrittenAreNamed() {
    try (PretrainedModel model =
        PretrainedModel.load(resource("parity/tied"), LoadOptions.stored())) {
      ConfigurationException error =
          assertThrows(
              ConfigurationException.class,
              () -> model.saveGguf(directory.resolve("model.gguf"), GgmlType.Q4_K));
      assertTrue(error.getMessage().contains("Q4_K is not written"), error.getMessage());
    }
  }
}
