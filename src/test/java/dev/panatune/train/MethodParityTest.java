package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.generate.GenerationConfig;
import dev.panatune.generate.Generator;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.MergeOptions;
import dev.panatune.peft.PeftModel;
import dev.panatune.peft.PromptTuningConfig;
import dev.panatune.peft.PromptTuningInit;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.schedule.SchedulerType;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every method but LoRA: adapters that PEFT saved, against what PEFT computes with them. */
@ExtendWith(OneThread.class)
class MethodParityTest {
  private static final double LOGIT_TOLERANCE = 2e-5;
  private static final double LOSS_TOLERANCE = 1e-5;
  private static final double WEIGHT_TOLERANCE = 1e-3;
  private static final String WEIGHTS = "adapter_model.safetensors";

  @TempDir private Path directory;

  @ParameterizedTest
  @MethodSource("cases")
  void logitsAreThoseOfPeft(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      Tensor without = logits(loaded);
      PeftModel adapted = PeftModel.load(loaded.model(), adapter(name), false);
      Tensor expected = golden(name).get("logits");
      assertTrue(error(logits(loaded), expected) <= LOGIT_TOLERANCE);
      if (golden(name).keySet().stream().anyMatch(key -> key.contains("modules_to_save"))) {
        return; // what is trained whole takes part always
      }
      adapted.setEnabled(false);
      assertArrayEquals(without.toFloats(), logits(loaded).toFloats());
      adapted.setEnabled(true);
      assertTrue(error(logits(loaded), expected) <= LOGIT_TOLERANCE);
    }
  }

  @ParameterizedTest
  @MethodSource("merged")
  void mergedLogitsAreThoseOfPeft(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      PeftModel.load(loaded.model(), adapter(name), false).mergeAndUnload(MergeOptions.DENSE);
      assertTrue(error(logits(loaded), golden(name).get("merged")) <= LOGIT_TOLERANCE);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void whatPeftSavedIsSavedAgainWithTheSameNamesAndBits(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      boolean projected = name.startsWith("prefix_projected");
      PeftModel.load(loaded.model(), adapter(name), !projected).save(directory, "llama");
      Map<String, Tensor> theirs = TensorFile.read(adapter(name).resolve(WEIGHTS));
      Map<String, Tensor> ours = TensorFile.read(directory.resolve(WEIGHTS));
      assertEquals(theirs.keySet(), ours.keySet());
      theirs.forEach((key, tensor) -> {
        assertEquals(tensor.dtype(), ours.get(key).dtype(), key);
        assertTrue(tensor.equal(ours.get(key)), key);
      });
      assertEquals("pt", SafetensorsFile.open(directory.resolve(WEIGHTS)).metadata().get("format"));
    }
  }

  /** What PEFT's configuration says of the model, and of the adapter, ours says too. */
  @ParameterizedTest
  @MethodSource("cases")
  void theSavedConfigurationIsThatOfPeft(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      PeftModel.load(loaded.model(), adapter(name), false)
          .save(directory, entry(name).at("base").word());
      Map<String, Object> ours = StrictJson.readObject(directory.resolve("adapter_config.json"));
      Map<String, Object> theirs =
          StrictJson.readObject(adapter(name).resolve("adapter_config.json"));
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
        PretrainedModel loaded = base(name)) {
      PeftModel.load(loaded.model(), adapter(name), false);
      JsonState row = JsonState.read(fixture("run.json")).at("probe").elements().getFirst();
      int[] ids =
          new Generator(loaded.model(), loaded.tokenizer(), Set.of())
              .generate(integers(row), GenerationConfig.greedy(12))
              .tokenIds();
      assertArrayEquals(
          golden(name).get("generated").toLongs(), Arrays.stream(ids).asLongStream().toArray());
    }
  }

  @Test
  void aPromptStartsAsItsText() {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base("prompt_text")) {
      PeftModel fresh =
          PeftModel.create(loaded, PromptTuningConfig.ofText(7, "the quick brown fox"));
      Tensor found = fresh.parameters().firstEntry().getValue();
      assertTrue(golden("prompt_text").get("start").equal(found.detach()));
    }
  }

  @Test
  void aPromptStartsAsRowsOfTheVocabulary() {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base("prompt_sample")) {
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
      Files.copy(adapter("prefix_projected").resolve(file), directory.resolve(file));
    }
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base("prefix_projected")) {
      var error =
          assertThrows(
              FormatException.class, () -> PeftModel.load(loaded.model(), directory, true));
      assertTrue(error.getMessage().contains("projection"), error.getMessage());
    }
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base("prefix_projected")) {
      PeftModel.load(loaded.model(), directory, false);
      assertTrue(error(logits(loaded), golden("prefix_projected").get("logits")) <= 2e-5);
    }
  }

  @ParameterizedTest
  @MethodSource("withVirtualTokens")
  void virtualTokensAreNotMerged(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      PeftModel adapted = PeftModel.load(loaded.model(), adapter(name), false);
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
    JsonState run = JsonState.read(fixture("run.json"));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      PeftModel adapted = PeftModel.load(loaded.model(), adapter(name), true);
      TrainResult result =
          Trainer.of(
                  new AdapterTraining(adapted, null),
                  arguments(run.at("learning_rate").number(), gradientCheckpointing))
              .trainOn(examples(run))
              .train();
      List<JsonState> losses = entry(name).at("losses").elements();
      assertEquals(10, losses.size());
      for (int i = 0; i < losses.size(); i++) {
        double expected = losses.get(i).number();
        double found = result.history().get(i).value("loss").getAsDouble();
        assertEquals(expected, found, LOSS_TOLERANCE * expected, "step " + i);
      }
      compareWeights(golden(name), adapted);
    }
  }

  /** Names in a PEFT model are those of the base, under this. */
  private static void compareWeights(Map<String, Tensor> golden, PeftModel adapted) {
    String prefix = "after.base_model.model.";
    long compared =
        golden.keySet().stream()
            .filter(key -> key.startsWith("after."))
            .peek(key -> {
              String name =
                  key.substring(key.startsWith(prefix) ? prefix.length() : "after.".length());
              Tensor found = adapted.parameters().get(name.replace(".modules_to_save", ""));
              assertTrue(found != null, name + " is not in " + adapted.parameters().keySet());
              double difference =
                  found.detach().sub(golden.get(key)).norm().item() / golden.get(key).norm().item();
              assertTrue(difference < WEIGHT_TOLERANCE, name + " is off by " + difference);
            })
            .count();
    assertEquals(adapted.parameters().size(), compared);
  }

  private TrainingArguments arguments(double learningRate, boolean gradientCheckpointing) {
    return TrainingArguments.builder()
        .outputDir(directory)
        .perDeviceTrainBatchSize(2)
        .numTrainEpochs(1)
        .trainSamplingStrategy(SamplingStrategy.SEQUENTIAL)
        .learningRate(learningRate)
        .lrSchedulerType(SchedulerType.CONSTANT)
        .weightDecay(0)
        .gradientCheckpointing(gradientCheckpointing)
        .loggingSteps(1)
        .saveStrategy(SaveStrategy.NO)
        .build();
  }

  /** The rows without their padding. */
  private static List<Example> examples(JsonState run) {
    return run.at("batches").elements().stream()
        .flatMap(batch -> {
          List<JsonState> ids = batch.at("input_ids").elements();
          List<JsonState> labels = batch.at("labels").elements();
          return IntStream.range(0, ids.size())
              .mapToObj(row -> example(integers(ids.get(row)), integers(labels.get(row))));
        })
        .toList();
  }

  private static Example example(int[] ids, int[] labels) {
    int length = ids.length;
    while (ids[length - 1] == 3) {
      length--;
    }
    return new Example(Arrays.copyOf(ids, length), Arrays.copyOf(labels, length));
  }

  private static int[] integers(JsonState array) {
    return array.elements().stream().mapToInt(JsonState::integer).toArray();
  }

  private static Tensor logits(PretrainedModel loaded) {
    List<JsonState> rows = JsonState.read(fixture("run.json")).at("probe").elements();
    long[] ids =
        rows.stream()
            .flatMap(row -> row.elements().stream())
            .mapToLong(JsonState::integer)
            .toArray();
    try (GradMode _ = GradMode.disable()) {
      return loaded.model().logits(Tensor.ofLongs(ids, rows.size(), ids.length / rows.size()));
    }
  }

  private static double error(Tensor found, Tensor expected) {
    assertArrayEquals(expected.shape(), found.shape());
    return found.sub(expected).abs().max().item() / expected.abs().max().item();
  }

  private static PretrainedModel base(String name) {
    LoadOptions options = LoadOptions.stored().withDtype(DType.FLOAT32);
    JsonState entry = entry(name);
    return PretrainedModel.load(
        fixture(entry.at("base").word()),
        entry.members().containsKey("quant")
            ? options.withQuantization(QuantConfig.qlora(DType.FLOAT32))
            : options);
  }

  private static JsonState entry(String name) {
    return JsonState.read(fixture("cases.json")).at(name);
  }

  private static Map<String, Tensor> golden(String name) {
    return TensorFile.read(fixture(name).resolve("golden.safetensors"));
  }

  private static Path adapter(String name) {
    return fixture(name).resolve("adapter");
  }

  private static Path fixture(String name) {
    try {
      return Path.of(MethodParityTest.class.getResource("/methods/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static List<String> cases() {
    return List.copyOf(JsonState.read(fixture("cases.json")).members().keySet());
  }

  static List<String> merged() {
    return having("merged");
  }

  static List<String> withVirtualTokens() {
    return having("generated");
  }

  private static List<String> having(String key) {
    try (TensorScope _ = TensorScope.open()) {
      return cases().stream().filter(name -> golden(name).containsKey(key)).toList();
    }
  }

  static List<Arguments> trained() {
    return cases().stream()
        .flatMap(
            name -> Stream.of(false, true).map(checkpointing -> Arguments.of(name, checkpointing)))
        .toList();
  }
}
