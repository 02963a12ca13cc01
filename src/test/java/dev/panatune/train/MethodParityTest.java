package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.generate.GenerationConfig;
import dev.panatune.generate.Generator;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.MergeOptions;
import dev.panatune.peft.MergeReport;
import dev.panatune.peft.PeftModel;
import dev.panatune.peft.PromptTuningConfig;
import dev.panatune.peft.PromptTuningInit;
import dev.panatune.peft.SavedAdapters;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every method but LoRA: adapters that PEFT saved, against what PEFT computes with them. */
@ExtendWith(OneThread.class)
class MethodParityTest {
  private static final ParityCases CASES = new ParityCases("methods");
  private static final double LOGIT_TOLERANCE = 2e-5;
  private static final String WEIGHTS = "adapter_model.safetensors";

  @TempDir private Path directory;

  @ParameterizedTest
  @MethodSource("cases")
  void logitsAreThoseOfPeft(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      Tensor without = CASES.logits(loaded);
      PeftModel adapted = PeftModel.load(loaded.model(), CASES.adapter(name), false);
      Tensor expected = CASES.golden(name).get("logits");
      assertTrue(ParityCases.error(CASES.logits(loaded), expected) <= LOGIT_TOLERANCE);
      adapted.setEnabled(false);
      assertArrayEquals(without.toFloats(), CASES.logits(loaded).toFloats());
      adapted.setEnabled(true);
      assertTrue(ParityCases.error(CASES.logits(loaded), expected) <= LOGIT_TOLERANCE);
    }
  }

  @ParameterizedTest
  @MethodSource("merged")
  void mergedLogitsAreThoseOfPeft(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      PeftModel.load(loaded.model(), CASES.adapter(name), false).mergeAndUnload(MergeOptions.DENSE);
      assertTrue(
          ParityCases.error(CASES.logits(loaded), CASES.golden(name).get("merged"))
              <= LOGIT_TOLERANCE);
    }
  }

  /** PEFT divides by what it multiplied with; here the layers themselves come back. */
  @ParameterizedTest
  @MethodSource("merged")
  void mergedInPlaceItComputesWhatPeftDoesAndUnmergedTheSameBitsAsBefore(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      float[] without = CASES.logits(loaded).toFloats();
      PeftModel adapted = PeftModel.load(loaded.model(), CASES.adapter(name), false);
      float[] before = CASES.logits(loaded).toFloats();
      Map<String, Tensor> golden = CASES.golden(name);
      adapted.mergeAdapter(MergeOptions.DENSE.safe());
      assertTrue(ParityCases.error(CASES.logits(loaded), golden.get("merged")) <= LOGIT_TOLERANCE);
      adapted.unmergeAdapter();
      assertArrayEquals(before, CASES.logits(loaded).toFloats());
      adapted.mergeAdapter(MergeOptions.DENSE);
      adapted.setEnabled(false);
      assertArrayEquals(without, CASES.logits(loaded).toFloats());
      assertTrue(
          ParityCases.error(CASES.logits(loaded), golden.get("unmerged")) <= LOGIT_TOLERANCE);
    }
  }

  /** PEFT refuses to merge IA3 into 4 bits; what is dense afterwards computes the same. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void inFourBitsIa3IsMergedAndUnmergedToo(boolean requantize) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base("ia3_nf4")) {
      PeftModel adapted = PeftModel.load(loaded.model(), CASES.adapter("ia3_nf4"), false);
      Tensor before = CASES.logits(loaded);
      MergeReport report = adapted.mergeAdapter(new MergeOptions(null, requantize));
      assertEquals(requantize, report.overall() > 0.01);
      assertEquals(requantize, ParityCases.error(CASES.logits(loaded), before) > 0.01);
      adapted.unmergeAdapter();
      assertArrayEquals(before.toFloats(), CASES.logits(loaded).toFloats());
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void whatPeftSavedIsSavedAgainWithTheSameNamesAndBits(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      boolean projected = name.startsWith("prefix_projected");
      PeftModel.load(loaded.model(), CASES.adapter(name), !projected).save(directory, "llama");
      Map<String, Tensor> theirs = TensorFile.read(CASES.adapter(name).resolve(WEIGHTS));
      Map<String, Tensor> ours = TensorFile.read(directory.resolve(WEIGHTS));
      assertEquals(theirs.keySet(), ours.keySet());
      theirs.forEach((key, tensor) -> {
        assertEquals(tensor.dtype(), ours.get(key).dtype(), key);
        assertTrue(tensor.equal(ours.get(key)), key);
      });
      assertEquals("pt", SafetensorsFile.open(directory.resolve(WEIGHTS)).metadata().get("format"));
      SavedAdapters.assertSame(CASES.adapter(name), directory);
    }
  }

  /** What PEFT's configuration says of the model, and of the adapter, ours says too. */
  @ParameterizedTest
  @MethodSource("cases")
  void theSavedConfigurationIsThatOfPeft(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      PeftModel.load(loaded.model(), CASES.adapter(name), false)
          .save(directory, CASES.entry(name).at("base").word());
      Map<String, Object> ours = StrictJson.readObject(directory.resolve("adapter_config.json"));
      Map<String, Object> theirs =
          StrictJson.readObject(CASES.adapter(name).resolve("adapter_config.json"));
      ours.forEach((key, value) -> {
        boolean corrected = key.equals("fan_in_fan_out");
        assertTrue(theirs.containsKey(key), key);
        if (!corrected) {
          assertEquals(theirs.get(key), value, key);
        }
      });
    }
  }

  @ParameterizedTest
  @MethodSource("withVirtualTokens")
  void generationThroughTheCacheIsThatOfPeft(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      PeftModel.load(loaded.model(), CASES.adapter(name), false);
      JsonState row = JsonState.read(CASES.fixture("run.json")).at("probe").elements().getFirst();
      int[] ids =
          new Generator(loaded.model(), loaded.tokenizer(), Set.of())
              .generate(ParityCases.integers(row), GenerationConfig.greedy(12))
              .tokenIds();
      assertArrayEquals(
          CASES.golden(name).get("generated").toLongs(),
          Arrays.stream(ids).asLongStream().toArray());
    }
  }

  @Test
  void aPromptStartsAsItsText() {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base("prompt_text")) {
      PeftModel fresh =
          PeftModel.create(loaded, PromptTuningConfig.ofText(7, "the quick brown fox"));
      Tensor found = fresh.parameters().firstEntry().getValue();
      assertTrue(CASES.golden("prompt_text").get("start").equal(found.detach()));
    }
  }

  @Test
  void aPromptStartsAsRowsOfTheVocabulary() {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base("prompt_sample")) {
      Rng.seed(1);
      PeftModel fresh =
          PeftModel.create(
              loaded.model(),
              new PromptTuningConfig(
                  3, PromptTuningInit.SAMPLE_VOCAB, Optional.empty(), Optional.empty()));
      float[] table = loaded.model().parameter("model.embed_tokens.weight").toFloats();
      Set<List<Float>> rows = new HashSet<>();
      for (int row = 0; row < table.length / 32; row++) {
        rows.add(row(table, row));
      }
      float[] found = fresh.parameters().firstEntry().getValue().toFloats();
      Set<List<Float>> started = Set.of(row(found, 0), row(found, 1), row(found, 2));
      assertTrue(rows.containsAll(started));
    }
  }

  private static List<Float> row(float[] values, int row) {
    return IntStream.range(32 * row, 32 * (row + 1)).mapToObj(i -> values[i]).toList();
  }

  @Test
  void aProjectionThatIsNotThereIsNamed() throws IOException {
    for (String file : List.of("adapter_config.json", WEIGHTS)) {
      Files.copy(CASES.adapter("prefix_projected").resolve(file), directory.resolve(file));
    }
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base("prefix_projected")) {
      var error =
          assertThrows(
              FormatException.class, () -> PeftModel.load(loaded.model(), directory, true));
      assertTrue(error.getMessage().contains("projection"), error.getMessage());
    }
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base("prefix_projected")) {
      PeftModel.load(loaded.model(), directory, false);
      assertTrue(
          ParityCases.error(CASES.logits(loaded), CASES.golden("prefix_projected").get("logits"))
              <= 2e-5);
    }
  }

  @ParameterizedTest
  @MethodSource("withVirtualTokens")
  void virtualTokensAreNotMerged(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(name)) {
      PeftModel adapted = PeftModel.load(loaded.model(), CASES.adapter(name), false);
      var error =
          assertThrows(
              ConfigurationException.class, () -> adapted.mergeAndUnload(MergeOptions.DENSE));
      assertTrue(error.getMessage().contains("virtual tokens"), error.getMessage());
      adapted.save(directory, null);
    }
  }

  @ParameterizedTest
  @MethodSource("trained")
  void tenStepsFollowPeft(String name, boolean gradientCheckpointing) {
    CASES.tenStepsFollow(name, gradientCheckpointing, directory);
  }

  static List<String> cases() {
    return CASES.all();
  }

  static List<String> merged() {
    return CASES.having("merged");
  }

  static List<String> withVirtualTokens() {
    return CASES.having("generated");
  }

  static List<Arguments> trained() {
    return CASES.trained();
  }
}
