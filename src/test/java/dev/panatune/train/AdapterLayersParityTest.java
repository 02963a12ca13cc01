package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.MergeOptions;
import dev.panatune.peft.PeftModel;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Adapter layers that AdapterHub's `adapters` saved, against what it computes with them. */
@ExtendWith(OneThread.class)
class AdapterLayersParityTest {
  private static final ParityCases CASES = new ParityCases("adapter_layers");
  private static final double LOGIT_TOLERANCE = 2e-5;
  private static final String WEIGHTS = "adapter.safetensors";
  private static final String CONFIG = "adapter_config.json";

  @TempDir private Path directory;

  @ParameterizedTest
  @MethodSource("cases")
  void logitsAreThoseOfAdapters(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      Tensor without = CASES.logits(loaded);
      PeftModel adapted = PeftModel.load(loaded.model(), CASES.adapter(name), false);
      Tensor expected = CASES.golden(name).get("logits");
      assertTrue(ParityCases.error(CASES.logits(loaded), expected) <= LOGIT_TOLERANCE);
      adapted.setEnabled(false);
      assertArrayEquals(without.toFloats(), CASES.logits(loaded).toFloats());
      var error =
          assertThrows(
              ConfigurationException.class, () -> adapted.mergeAndUnload(MergeOptions.DENSE));
      assertTrue(error.getMessage().contains("cannot be merged"), error.getMessage());
    }
  }

  @ParameterizedTest
  @MethodSource("trained")
  void tenStepsFollowAdapters(String name, boolean gradientCheckpointing) {
    CASES.tenStepsFollow(name, gradientCheckpointing, directory);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void whatWasSavedIsSavedAgainWithTheSameNamesAndBits(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      Path adapter = CASES.adapter(name);
      PeftModel.load(loaded.model(), adapter, true).save(directory, null);
      assertEquals(
          StrictJson.readObject(adapter.resolve(CONFIG)),
          StrictJson.readObject(directory.resolve(CONFIG)));
      if (Files.exists(adapter.resolve(WEIGHTS))) {
        Map<String, Tensor> theirs = TensorFile.read(adapter.resolve(WEIGHTS));
        Map<String, Tensor> ours = TensorFile.read(directory.resolve(WEIGHTS));
        assertEquals(theirs.keySet(), ours.keySet());
        theirs.forEach((key, tensor) -> assertTrue(tensor.equal(ours.get(key)), key));
      }
    }
  }

  /** The form in which `adapters` looks for it is read here again, whatever came in. */
  @ParameterizedTest
  @MethodSource("cases")
  void whatIsSavedHereIsReadBack(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel first = CASES.base(name);
        PretrainedModel second = CASES.base(name)) {
      PeftModel.load(first.model(), CASES.adapter(name), false).save(directory, null);
      PeftModel.load(second.model(), directory, false);
      assertArrayEquals(CASES.logits(first).toFloats(), CASES.logits(second).toFloats());
    }
  }

  static List<String> cases() {
    return CASES.all();
  }

  static List<Arguments> trained() {
    return CASES.trained();
  }
}
