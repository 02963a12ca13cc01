package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.TensorFile;
import dev.panatune.model.FamilyFixtures;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** PEFT's LoRA of all linear layers of every family (src/test/python/make_family_fixtures.py). */
@ExtendWith(OneThread.class)
class FamilyLoraTest {
  @TempDir private Path temporary;

  private static List<Path> families() {
    return FamilyFixtures.all();
  }

  private static PretrainedModel load(Path directory) {
    return PretrainedModel.load(directory, LoadOptions.stored());
  }

  @ParameterizedTest
  @MethodSource("families")
  void hasTheLogitsLossAndGradientsOfPeft(Path directory) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(directory)) {
      LoraStep.assertThatOfPeft(
          loaded, directory.resolve("adapter"), FamilyFixtures.expected(directory));
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void savesWhatPeftSaved(Path directory) throws IOException {
    Path saved = Files.createDirectory(temporary.resolve("adapter"));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(directory)) {
      Path adapter = directory.resolve("adapter");
      PeftModel.load(loaded.model(), adapter, true).save(saved, null);
      Map<String, Tensor> before = TensorFile.read(adapter.resolve("adapter_model.safetensors"));
      Map<String, Tensor> after = TensorFile.read(saved.resolve("adapter_model.safetensors"));
      assertEquals(before.keySet(), after.keySet());
      before.forEach((name, tensor) -> assertTrue(tensor.equal(after.get(name)), name));
    }
  }
}
