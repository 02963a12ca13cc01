package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.StrictJson;
import dev.panatune.nn.Linear;
import dev.panatune.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelSaverTest {
  @TempDir private Path temporary;

  private static ModelSaver saver(CausalLM model, DType dtype) {
    return new ModelSaver(model, Optional.empty(), Map.of(), dtype);
  }

  @Test
  void configurationSaysWhatWasSaved() {
    Map<String, Object> json = TinyModels.llamaJson("torch_dtype", "float32");
    json.put("transformers_version", "4.50.0");
    Path directory = temporary.resolve("model");
    try (CausalLM model = CausalLM.random(ModelConfig.fromHuggingFace(json), 1)) {
      saver(model, DType.BFLOAT16).save(directory);
    }
    Map<String, Object> saved = StrictJson.readObject(directory.resolve("config.json"));
    assertEquals("bfloat16", saved.get("dtype"));
    assertEquals(List.of("LlamaForCausalLM"), saved.get("architectures"));
    assertEquals("4.50.0", saved.get("transformers_version"));
    assertFalse(saved.containsKey("torch_dtype"));
    SafetensorsFile weights = SafetensorsFile.open(directory.resolve("model.safetensors"));
    assertEquals(Map.of("format", "pt"), weights.metadata());
    weights.tensors().values().forEach(info -> assertEquals("BF16", info.dtype(), info.name()));
    assertFalse(Files.exists(directory.resolve("generation_config.json")));
  }

  @Test
  void refusesAModelWithAdaptersAndWritesNothing() {
    Path directory = temporary.resolve("model");
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      String path = "model.layers.0.mlp.up_proj";
      model.replaceChild(path, new WrappedLinear((Linear) model.child(path)));
      var error =
          assertThrows(
              ConfigurationException.class, () -> saver(model, DType.FLOAT32).save(directory));
      assertTrue(error.getMessage().contains(path + ".base_layer.weight"), error.getMessage());
    }
    assertFalse(Files.exists(directory));
  }

  @Test
  void leavesADirectoryOfOthersAlone() throws IOException {
    Path directory = Files.createDirectory(temporary.resolve("model"));
    Files.writeString(directory.resolve("thesis.txt"), "mine");
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      assertThrows(ConfigurationException.class, () -> saver(model, DType.FLOAT32).save(directory));
    }
    assertEquals("mine", Files.readString(directory.resolve("thesis.txt")));
    assertFalse(Files.exists(directory.resolve("config.json")));
  }

  @Test
  void savesBesideOtherFilesWhereToldTo() throws IOException {
    Path directory = Files.createDirectory(temporary.resolve("run"));
    Files.writeString(directory.resolve("run.yaml"), "seed: 1");
    try (CausalLM model = CausalLM.random(TinyModels.llama(), 1)) {
      saver(model, DType.FLOAT32).saveInto(directory);
    }
    assertTrue(Files.exists(directory.resolve("model.safetensors")));
    assertTrue(Files.exists(directory.resolve("run.yaml")));
  }
}
