package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.GgufFile;
import dev.panatune.nn.RopeConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufModelTest {
  @TempDir private Path directory;

  private static LoadOptions exact() {
    return LoadOptions.stored().withDtype(DType.FLOAT32);
  }

  /** Copies a fixture with every occurrence of some bytes exchanged for as many others. */
  private Path altered(String fixture, String from, String to) throws IOException {
    byte[] bytes = Files.readAllBytes(ModelFixtures.path(fixture));
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    assertTrue(text.contains(from), from);
    Path file = directory.resolve("altered.gguf");
    return Files.write(file, text.replace(from, to).getBytes(StandardCharsets.ISO_8859_1));
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama31"})
  void computesWhatTransformersComputes(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(ModelFixtures.path(name + ".gguf"), exact())) {
      Map<String, Tensor> expected = ModelFixtures.tensors(name + ".safetensors");
      Tensor logits = loaded.model().logits(expected.get("ids"));
      double largest = expected.get("logits").abs().max().item();
      double error = logits.sub(expected.get("logits")).abs().max().item();
      assertTrue(error <= 2e-5 * largest, error + " of " + largest);
    }
  }

  @Test
  void metadataBecomeAConfiguration() {
    ModelConfig config =
        ModelConfig.fromHuggingFace(
            GgufConfig.huggingFace(GgufFile.open(ModelFixtures.path("llama31.gguf"))));
    assertEquals("llama", config.modelType());
    assertEquals(112, config.vocabSize());
    assertEquals(32, config.hiddenSize());
    assertEquals(96, config.intermediateSize());
    assertEquals(4, config.queryHeads());
    assertEquals(2, config.keyValueHeads());
    assertEquals(8, config.headDim());
    assertEquals(512, config.maxPositions());
    assertEquals(1e-5, config.norm().epsilon(), 1e-12);
    assertEquals(
        new RopeConfig.Llama3(500_000, 8, 1, 4, 8192), config.positions().ropes().getFirst());
    assertFalse(config.tiedHead());
  }

  @Test
  void quantisedWeightsBecomeBf16AndOthersStayAsTheyAre() {
    try (PretrainedModel quantised =
            PretrainedModel.load(ModelFixtures.path("llama.gguf"), LoadOptions.stored());
        PretrainedModel half =
            PretrainedModel.load(ModelFixtures.path("llama31.gguf"), LoadOptions.stored())) {
      quantised
          .model()
          .namedParameters()
          .forEach((name, value) -> assertEquals(DType.BFLOAT16, value.dtype(), name));
      half.model()
          .namedParameters()
          .forEach((name, value) -> assertEquals(DType.FLOAT16, value.dtype(), name));
    }
  }

  @Test
  void endsWhereTheMetadataSay() {
    try (PretrainedModel loaded =
        PretrainedModel.load(ModelFixtures.path("llama.gguf"), LoadOptions.stored())) {
      assertTrue(loaded.eosTokenIds().contains(2));
      assertEquals(2, loaded.generationConfig().get("eos_token_id"));
      assertEquals(1, loaded.generationConfig().get("bos_token_id"));
    }
  }

  @Test
  void savedAsADirectoryItIsTheSameModel() {
    Path saved = directory.resolve("saved");
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(ModelFixtures.path("llama31.gguf"), exact())) {
      loaded.save(saved, DType.FLOAT32);
      try (PretrainedModel again = PretrainedModel.load(saved, LoadOptions.stored())) {
        Tensor ids = ModelFixtures.tensors("llama31.safetensors").get("ids");
        assertArrayEquals(
            loaded.model().logits(ids).toFloats(), again.model().logits(ids).toFloats());
        assertEquals(loaded.eosTokenIds(), again.eosTokenIds());
        assertEquals(loaded.tokenizer().tokenizerJson(), again.tokenizer().tokenizerJson());
        assertEquals("LlamaForCausalLM", firstArchitecture(again.model().config()));
      }
    }
  }

  private static Object firstArchitecture(ModelConfig config) {
    return ((List<?>) config.source().get("architectures")).getFirst();
  }

  @Test
  void refusesAnUnknownArchitectureAndListsTheKnown() throws IOException {
    Path file = altered("llama.gguf", "\5\0\0\0\0\0\0\0llama", "\5\0\0\0\0\0\0\0mamba");
    var error =
        assertThrows(
            ConfigurationException.class, () -> PretrainedModel.load(file, LoadOptions.stored()));
    assertEquals(
        "The GGUF architecture mamba is not supported; supported are llama, qwen2, qwen3, smollm3,"
            + " gemma2, gemma3, phi3, granite, olmo2, gpt2, gptneox",
        error.getMessage());
  }

  @Test
  void namesTensorsThatAreMissingOrUnknown() throws IOException {
    Path file = altered("llama.gguf", "blk.1.ffn_up.weight", "blk.1.ffn_xx.weight");
    var error =
        assertThrows(FormatException.class, () -> PretrainedModel.load(file, LoadOptions.stored()));
    assertEquals(
        file
            + " does not hold the llama model that its configuration describes;"
            + " missing: model.layers.1.mlp.up_proj.weight [96, 64];"
            + " unknown to it: blk.1.ffn_xx.weight [96, 64]",
        error.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "llama.attention.head_count, 0, is 0",
    "llama.block_count, -1, is 4294967295",
    "llama.block_count, 10000, 'too few for the 10000 layers'",
    "llama.embedding_length, 0, is 0"
  })
  void refusesSizesThatAreNone(String key, int value, String expected) throws IOException {
    Path file = directory.resolve("altered.gguf");
    byte[] bytes = Files.readAllBytes(ModelFixtures.path("llama.gguf"));
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    // The key is followed by its type, uint32, and the value.
    int at = text.indexOf(key) + key.length() + 4;
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(at, value);
    Files.write(file, bytes);
    var error =
        assertThrows(FormatException.class, () -> PretrainedModel.load(file, LoadOptions.stored()));
    assertTrue(error.getMessage().contains(expected), error.getMessage());
  }

  @Test
  void refusesRotaryFactorsThatItCannotName() throws IOException {
    // Two factors of 1 side by side, as fp32: the second becomes one half.
    Path file = altered("llama31.gguf", "\0\0\200?\0\0\200?", "\0\0\200?\0\0\0\77");
    var error =
        assertThrows(
            ConfigurationException.class, () -> PretrainedModel.load(file, LoadOptions.stored()));
    assertTrue(error.getMessage().contains("rope_freqs.weight"), error.getMessage());
  }

  @Test
  void failedLoadLeavesNothing() throws IOException {
    long before = TensorScope.liveTensors();
    Path file = altered("llama.gguf", "blk.1.ffn_up.weight", "blk.1.ffn_xx.weight");
    assertThrows(FormatException.class, () -> PretrainedModel.load(file, LoadOptions.stored()));
    assertEquals(before, TensorScope.liveTensors());
  }
}
