package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.format.StrictJson;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.ModelSaver;
import dev.panatune.model.PretrainedModel;
import dev.panatune.nn.Dropout;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.callback.TrainerCallback;
import dev.panatune.train.schedule.SchedulerType;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The dropouts of a model's own configuration, in training. */
@ExtendWith(OneThread.class)
class BaseDropoutTest {
  private static final ParityCases FAMILIES = new ParityCases("families");
  private static final JsonState GOLDEN = JsonState.read(resource("/dropout.json"));

  @TempDir private Path directory;

  private static Path resource(String name) {
    try {
      return Path.of(BaseDropoutTest.class.getResource(name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static List<Arguments> cases() {
    return GOLDEN.at("cases").members().keySet().stream()
        .flatMap(name -> Stream.of(Arguments.of(name, false), Arguments.of(name, true)))
        .toList();
  }

  private static List<Example> examples() {
    List<Example> examples = new ArrayList<>();
    for (JsonState batch : GOLDEN.at("rows").elements()) {
      for (JsonState row : batch.elements()) {
        int[] ids = ParityCases.integers(row);
        examples.add(new Example(ids, ids.clone()));
      }
    }
    return examples;
  }

  /** A family's model with the dropouts of a case. */
  private PretrainedModel load(String name) throws IOException {
    Path copy = directory.resolve(name);
    if (!Files.exists(copy)) {
      Files.createDirectory(copy);
      Path from = FAMILIES.fixture(name);
      Files.copy(from.resolve("model.safetensors"), copy.resolve("model.safetensors"));
      Map<String, Object> json = StrictJson.readObject(from.resolve("config.json"));
      GOLDEN
          .at("cases")
          .at(name)
          .at("dropouts")
          .members()
          .forEach((key, value) -> json.put(key, value.number()));
      new JsonMapper().writeValue(copy.resolve("config.json").toFile(), json);
    }
    return PretrainedModel.load(copy, LoadOptions.stored().withDtype(DType.FLOAT32));
  }

  private TrainingArgumentsBuilder arguments() {
    return TrainingArguments.builder()
        .outputDir(directory.resolve("run"))
        .overwriteOutputDir(true)
        .perDeviceTrainBatchSize(2)
        .numTrainEpochs(1)
        .trainSamplingStrategy(SamplingStrategy.SEQUENTIAL)
        .learningRate(GOLDEN.at("learning_rate").number())
        .lrSchedulerType(SchedulerType.CONSTANT)
        .loggingSteps(1)
        .seed(GOLDEN.at("seed").integer())
        .saveStrategy(SaveStrategy.NO);
  }

  private Trainer trainer(PretrainedModel loaded, TrainingArguments arguments) {
    FullFineTuning training =
        new FullFineTuning(loaded.model(), ModelSaver.ofTrained(loaded)::saveInto);
    return Trainer.of(training, arguments).trainOn(examples());
  }

  /** The same operators in the same order draw the same masks: forward, backward, and again. */
  @ParameterizedTest
  @MethodSource("cases")
  void tenStepsFollowTransformersMaskByMask(String name, boolean gradientCheckpointing)
      throws IOException {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(name)) {
      TrainResult result =
          trainer(loaded, arguments().gradientCheckpointing(gradientCheckpointing).build()).train();
      ParityCases.compareLosses(GOLDEN.at("cases").at(name).at("losses").elements(), result);
    }
  }

  @Test
  void aResumedRunDrawsTheSameMasks() throws IOException {
    TrainingArgumentsBuilder saving = arguments().saveStrategy(SaveStrategy.STEPS).saveSteps(4);
    Map<String, float[]> whole = weights("gpt2", saving.build());
    String middle = directory.resolve("run/checkpoint-4").toString();
    Map<String, float[]> resumed = weights("gpt2", saving.resumeFromCheckpoint(middle).build());
    whole.forEach((name, values) -> assertArrayEquals(values, resumed.get(name), name));
  }

  private Map<String, float[]> weights(String name, TrainingArguments arguments)
      throws IOException {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(name)) {
      trainer(loaded, arguments).train();
      Map<String, float[]> values = new LinkedHashMap<>();
      loaded.model().namedParameters().forEach((key, value) -> values.put(key, value.toFloats()));
      return values;
    }
  }

  @Test
  void aModelThatIsUsedDropsNothing() throws IOException {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel plain =
            PretrainedModel.load(FAMILIES.fixture("gpt2"), LoadOptions.stored());
        PretrainedModel loaded = load("gpt2")) {
      Tensor ids = Tensor.ofLongs(new long[] {5, 9, 30, 7}, 1, 4);
      Tensor expected = plain.model().logits(ids);
      assertTrue(expected.equal(loaded.model().logits(ids)));
      loaded.model().setTraining(true);
      assertFalse(expected.equal(loaded.model().logits(ids)));
      loaded.model().setTraining(false);
      assertTrue(expected.equal(loaded.model().logits(ids)));
    }
  }

  @Test
  void thePathOfTheAttentionIsSaid() throws IOException {
    List<String> said = new ArrayList<>();
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load("llama")) {
      trainer(loaded, arguments().maxSteps(1).build())
          .callback(
              new TrainerCallback() {
                @Override
                public void onMessage(String message) {
                  said.add(message);
                }
              })
          .train();
    }
    assertTrue(said.toString().contains("attention runs as plain operations"), said.toString());
  }

  @Test
  void asManyElementsStayAsTheProbabilitySays() {
    try (TensorScope _ = TensorScope.open()) {
      Dropout dropout = new Dropout(0.3);
      Tensor ones = Tensor.full(1, DType.FLOAT32, 200_000);
      assertEquals(ones, dropout.apply(ones));
      dropout.setTraining(true);
      Rng.seed(1);
      Tensor dropped = dropout.apply(ones);
      // Six standard deviations of a binomial distribution.
      double kept = dropped.ne(0).sum().itemLong() / 200_000.0;
      assertEquals(0.7, kept, 6 * Math.sqrt(0.3 * 0.7 / 200_000));
      assertEquals(1 / 0.7, dropped.max().item(), 1e-6);
    }
  }

  @Test
  void aTokenBeyondTheEmbeddingIsNamed() throws IOException {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load("llama")) {
      Tensor ids = Tensor.ofLongs(new long[] {5, 40}, 1, 2);
      var error = assertThrows(ConfigurationException.class, () -> loaded.model().logits(ids));
      assertTrue(
          error
              .getMessage()
              .startsWith(
                  "the token id 40 is none of the vocabulary's: the embedding"
                      + " has 40 rows, for the ids 0 to 39."),
          error.getMessage());
      Trainer trainer =
          Trainer.of(
                  new FullFineTuning(loaded.model(), ModelSaver.ofTrained(loaded)::saveInto),
                  arguments().build())
              .trainOn(
                  List.of(
                      new Example(new int[] {5, 6}, new int[] {5, 6}),
                      new Example(new int[] {5, 41}, new int[] {5, 41})));
      error = assertThrows(ConfigurationException.class, trainer::train);
      assertTrue(
          error.getMessage().startsWith("training example 2: the token id 41"), error.getMessage());
    }
  }
}
