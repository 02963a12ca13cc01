package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.TensorFile;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PretrainedModelTest {
  private static final long[] IDS = {3, 14, 15, 9, 26, 5, 35};

  @TempDir private Path temporary;

  private static float[] logits(CausalLM model) {
    try (TensorScope _ = TensorScope.open()) {
      return model.logits(Tensor.ofLongs(IDS, 1, IDS.length)).toFloats();
    }
  }

  private Path save(CausalLM model, DType dtype) {
    Path directory = temporary.resolve("model");
    new ModelSaver(model, Optional.empty(), Map.of("eos_token_id", List.of(2, 5)), dtype)
        .save(directory);
    return directory;
  }

  /** Writes a directory with the parameters of a model, or others. */
  private Path write(CausalLM model, Map<String, Tensor> tensors) {
    Path directory = temporary.resolve("written");
    TensorFile.write(directory.resolve("model.safetensors"), tensors);
    AtomicFiles.writeString(directory.resolve("config.json"), JsonText.of(model.config().source()));
    return directory;
  }

  private static String errorOf(Path directory) {
    return assertThrows(
            FormatException.class, () -> PretrainedModel.load(directory, LoadOptions.stored()))
        .getMessage();
  }

  @Test
  void savedModelComesBack() {
    try (CausalLM model = CausalLM.random(TinyModels.llama("attention_bias", true), 1);
        PretrainedModel loaded =
            PretrainedModel.load(save(model, DType.FLOAT32), LoadOptions.stored())) {
      assertArrayEquals(logits(model), logits(loaded.model()));
      assertEquals(Set.of(2, 5), loaded.eosTokenIds());
      assertEquals(temporary.resolve("model").toString(), loaded.reference());
      assertEquals(model.namedParameters().keySet(), loaded.model().namedParameters().keySet());
    }
  }

  @Test
  void storedWeightsAreUsedInPlace() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      Path directory = save(model, DType.BFLOAT16);
      long before = NativeMemory.liveBytes();
      try (PretrainedModel loaded = PretrainedModel.load(directory, LoadOptions.stored())) {
        assertEquals(DType.BFLOAT16, loaded.model().parameter("model.norm.weight").dtype());
        long rotaryFrequencies = 4 * 4;
        assertTrue(
            NativeMemory.liveBytes() - before <= 64 * rotaryFrequencies,
            () -> NativeMemory.liveBytes() - before + " bytes");
      }
    }
  }

  @Test
  void otherDtypeIsConverted() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1);
        PretrainedModel loaded =
            PretrainedModel.load(
                save(model, DType.BFLOAT16), LoadOptions.stored().withDtype(DType.FLOAT32));
        TensorScope _ = TensorScope.open()) {
      Tensor expected = model.parameter("lm_head.weight").to(DType.BFLOAT16).to(DType.FLOAT32);
      assertArrayEquals(expected.toFloats(), loaded.model().parameter("lm_head.weight").toFloats());
    }
  }

  @Test
  void refusesADtypeThatIsNoFloatingPoint() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      Path directory = save(model, DType.FLOAT32);
      assertThrows(
          ConfigurationException.class,
          () -> PretrainedModel.load(directory, LoadOptions.stored().withDtype(DType.INT8)));
    }
  }

  @Test
  void shardsComeBack() throws IOException {
    Path directory = temporary.resolve("sharded");
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      new WeightFiles(model.namedParameters(), Map.of(), Optional.of(DType.FLOAT32), 20_000)
          .write(directory);
      AtomicFiles.writeString(
          directory.resolve("config.json"), JsonText.of(model.config().source()));
      assertTrue(Files.exists(directory.resolve("model-00001-of-00005.safetensors")));
      assertFalse(Files.exists(directory.resolve("model.safetensors")));
      try (PretrainedModel loaded = PretrainedModel.load(directory, LoadOptions.stored())) {
        assertArrayEquals(logits(model), logits(loaded.model()));
      }
    }
  }

  @Test
  void tiedHeadIsNotStored() {
    try (CausalLM model = CausalLM.random(TinyModels.llama("tie_word_embeddings", true), 1)) {
      Path directory = save(model, DType.FLOAT32);
      try (TensorScope _ = TensorScope.open()) {
        assertFalse(
            TensorFile.read(directory.resolve("model.safetensors")).containsKey("lm_head.weight"));
      }
      try (PretrainedModel loaded = PretrainedModel.load(directory, LoadOptions.stored())) {
        assertArrayEquals(logits(model), logits(loaded.model()));
      }
    }
  }

  @Test
  void headOfItsOwnCountsMoreThanTheConfigurationsTie() {
    try (CausalLM model = CausalLM.random(TinyModels.llama("tie_word_embeddings", true), 1);
        CausalLM untied = CausalLM.random(TinyModels.llama(), 1)) {
      Map<String, Tensor> tensors = new LinkedHashMap<>(model.namedParameters());
      tensors.put("lm_head.weight", model.parameter("model.embed_tokens.weight"));
      try (PretrainedModel loaded =
          PretrainedModel.load(write(model, tensors), LoadOptions.stored())) {
        assertTrue(loaded.model().config().tiedHead());
      }
      tensors.put("lm_head.weight", untied.parameter("lm_head.weight"));
      try (PretrainedModel loaded =
          PretrainedModel.load(write(model, tensors), LoadOptions.stored())) {
        assertFalse(loaded.model().config().tiedHead());
        assertArrayEquals(
            untied.parameter("lm_head.weight").toFloats(),
            loaded.model().parameter("lm_head.weight").toFloats());
      }
    }
  }

  @Test
  void namesWhatIsMissingUnknownOrOfAnotherShape() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1);
        TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>(model.namedParameters());
      tensors.remove("model.layers.1.mlp.up_proj.weight");
      tensors.put("model.layers.2.mlp.up_proj.weight", Tensor.ones(DType.FLOAT32, 3, 4));
      tensors.put("model.norm.weight", Tensor.ones(DType.FLOAT32, 31));
      Path directory = write(model, tensors);
      assertEquals(
          directory
              + " does not hold the llama model that its configuration describes;"
              + " missing: model.layers.1.mlp.up_proj.weight [48, 32];"
              + " unknown to it: model.layers.2.mlp.up_proj.weight [3, 4];"
              + " of another shape: model.norm.weight is [31] and should be [32]",
          errorOf(directory));
    }
  }

  @Test
  void listsAFewOfManyFaults() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1);
        TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>(model.namedParameters());
      tensors.keySet().removeIf(name -> name.startsWith("model.layers."));
      assertTrue(errorOf(write(model, tensors)).endsWith(" and 10 more"));
    }
  }

  @Test
  void ignoresTheFrequenciesThatOldVersionsSaved() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1);
        TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>(model.namedParameters());
      tensors.put("model.layers.0.self_attn.rotary_emb.inv_freq", Tensor.ones(DType.FLOAT32, 4));
      try (PretrainedModel loaded =
          PretrainedModel.load(write(model, tensors), LoadOptions.stored())) {
        assertArrayEquals(logits(model), logits(loaded.model()));
      }
    }
  }

  @Test
  void saysThatThereIsNoTokenizer() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1);
        PretrainedModel loaded =
            PretrainedModel.load(save(model, DType.FLOAT32), LoadOptions.stored())) {
      var error = assertThrows(FormatException.class, loaded::tokenizer);
      assertTrue(error.getMessage().contains("has no tokenizer.json"));
    }
  }

  @Test
  void saysThatThereIsNoModel() throws IOException {
    Path nothing = temporary.resolve("nothing");
    assertEquals("There is no model at " + nothing, errorOf(nothing));
    Path empty = Files.createFile(temporary.resolve("empty.gguf"));
    assertTrue(errorOf(empty).contains("empty.gguf"));
    Path directory = Files.createDirectory(temporary.resolve("directory"));
    assertTrue(errorOf(directory).contains("config.json"));
  }

  @Test
  void refusesOtherQuantisations() {
    Map<String, Object> json =
        TinyModels.llamaJson("quantization_config", Map.of("quant_method", "gptq", "bits", 4));
    try (CausalLM model = CausalLM.random(ModelConfig.fromHuggingFace(json), 1)) {
      Path directory = write(model, model.namedParameters());
      var error =
          assertThrows(
              ConfigurationException.class,
              () -> PretrainedModel.load(directory, LoadOptions.stored()));
      assertTrue(error.getMessage().contains("gptq"), error.getMessage());
    }
  }

  @Test
  void loadingAndClosingLeavesNothing() {
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      Path directory = save(model, DType.FLOAT32);
      long before = TensorScope.liveTensors();
      PretrainedModel.load(directory, LoadOptions.stored()).close();
      assertEquals(before, TensorScope.liveTensors());
    }
  }
}
