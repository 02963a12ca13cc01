package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Example;
import dev.panatune.error.ConfigurationException;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.model.ClassifierConfig;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.ModelSaver;
import dev.panatune.model.PretrainedModel;
import dev.panatune.model.SequenceClassifier;
import dev.panatune.peft.PeftModel;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
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

/** Classifiers: each method, and the whole model, against PEFT and transformers. */
@ExtendWith(OneThread.class)
class SeqClsParityTest {
  private static final ParityCases CASES = new ParityCases("seq_cls");
  private static final ParityCases BASES = new ParityCases("methods");
  private static final double LOGIT_TOLERANCE = 2e-5;
  private static final String WEIGHTS = "adapter_model.safetensors";
  private static final int PADDING = 3;

  @TempDir private Path directory;

  static List<String> adapters() {
    return CASES.all().stream().filter(name -> !name.startsWith("whole")).toList();
  }

  static List<Arguments> trained() {
    return CASES.all().stream()
        .flatMap(name -> Stream.of(Arguments.of(name, false), Arguments.of(name, true)))
        .toList();
  }

  private static PretrainedModel classifier(String name) {
    Path base = BASES.fixture(CASES.entry(name).at("base").word());
    PretrainedModel loaded =
        SequenceClassifier.load(base, 3, LoadOptions.stored().withDtype(DType.FLOAT32));
    try (GradMode _ = GradMode.disable()) {
      loaded.model().parameter("score.weight").copy_(CASES.golden(name).get("start"));
    }
    return loaded;
  }

  private static Tensor logits(PretrainedModel loaded) {
    List<JsonState> rows = JsonState.read(CASES.fixture("run.json")).at("probe").elements();
    long[] ids =
        rows.stream()
            .flatMap(row -> row.elements().stream())
            .mapToLong(JsonState::integer)
            .toArray();
    try (GradMode _ = GradMode.disable()) {
      return new SequenceClassifier(loaded.model())
          .logits(Tensor.ofLongs(ids, rows.size(), ids.length / rows.size()));
    }
  }

  private static List<Example> examples(String name, ClassifierConfig classifier) {
    List<Example> examples = new ArrayList<>();
    JsonState run = JsonState.read(CASES.fixture("run.json"));
    for (JsonState batch : run.at(CASES.entry(name).at("rows").word()).elements()) {
      List<JsonState> ids = batch.at("input_ids").elements();
      List<JsonState> labels = batch.at("labels").elements();
      for (int i = 0; i < ids.size(); i++) {
        int[] row = ParityCases.integers(ids.get(i));
        int length = (int) Arrays.stream(row).filter(id -> id != PADDING).count();
        int[] text = Arrays.copyOf(row, length);
        examples.add(Example.ofClass(text, classifier.position(text), labels.get(i).integer()));
      }
    }
    return examples;
  }

  @ParameterizedTest
  @MethodSource("adapters")
  void logitsAreThoseOfPeft(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = classifier(name)) {
      PeftModel.load(loaded.model(), CASES.adapter(name), false);
      double error = ParityCases.error(logits(loaded), CASES.golden(name).get("logits"));
      assertTrue(error <= LOGIT_TOLERANCE, name + ": " + error);
    }
  }

  @ParameterizedTest
  @MethodSource("adapters")
  void whatPeftSavedIsSavedAgainWithTheSameNamesAndBits(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = classifier(name)) {
      PeftModel.load(loaded.model(), CASES.adapter(name), !name.equals("prefix_projected"))
          .save(directory, CASES.entry(name).at("base").word());
      Map<String, Tensor> theirs = TensorFile.read(CASES.adapter(name).resolve(WEIGHTS));
      Map<String, Tensor> ours = TensorFile.read(directory.resolve(WEIGHTS));
      assertEquals(theirs.keySet(), ours.keySet());
      theirs.forEach((key, tensor) -> assertTrue(tensor.equal(ours.get(key)), key));
      Map<String, Object> config = StrictJson.readObject(directory.resolve("adapter_config.json"));
      assertEquals("SEQ_CLS", config.get("task_type"));
      assertEquals(List.of("classifier", "score"), config.get("modules_to_save"));
      assertEquals(3, PeftModel.savedLabels(directory));
    }
  }

  @ParameterizedTest
  @MethodSource("trained")
  void tenStepsFollowPython(String name, boolean gradientCheckpointing) {
    double learningRate = JsonState.read(CASES.fixture("run.json")).at("learning_rate").number();
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = classifier(name)) {
      TrainableModel trainable =
          name.startsWith("whole")
              ? new FullFineTuning(loaded.model(), ModelSaver.ofTrained(loaded)::saveInto)
              : new AdapterTraining(
                  PeftModel.load(loaded.model(), CASES.adapter(name), true), null);
      TrainResult result =
          Trainer.of(
                  trainable, ParityCases.arguments(directory, learningRate, gradientCheckpointing))
              .trainOn(examples(name, loaded.model().config().classifier().orElseThrow()))
              .train();
      ParityCases.compareLosses(CASES.entry(name).at("losses").elements(), result);
      Map<String, Tensor> after = after(name);
      assertEquals(after.keySet(), trainable.trainableParameters().keySet());
      after.forEach((key, expected) -> {
        Tensor found = trainable.trainableParameters().get(key);
        ParityCases.compareWeight(
            key,
            TrainedParametersTest.known(key, expected),
            TrainedParametersTest.known(key, found));
      });
    }
  }

  /** What Python trained, under the model's names. */
  private static Map<String, Tensor> after(String name) {
    Map<String, Tensor> after = new LinkedHashMap<>();
    CASES
        .golden(name)
        .forEach((key, tensor) -> {
          if (key.startsWith("after.")) {
            after.put(
                key.replaceFirst("after\\.(base_model\\.(model\\.(?=model|score|tr))?)?", "")
                    .replace(".modules_to_save", ""),
                tensor);
          }
        });
    return after;
  }

  @Test
  void aLanguageModelIsNoClassifier() {
    try (PretrainedModel loaded =
        PretrainedModel.load(BASES.fixture("llama"), LoadOptions.stored())) {
      var error =
          assertThrows(
              ConfigurationException.class,
              () -> PeftModel.load(loaded.model(), CASES.adapter("prompt"), false));
      assertTrue(error.getMessage().contains("number of labels"), error.getMessage());
    }
  }
}
