package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.error.ConfigurationException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.model.FamilyFixtures;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.model.SequenceClassifier;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Classifiers of every family (src/test/python/make_classifier_fixtures.py). */
@ExtendWith(OneThread.class)
class SequenceClassifierTest {
  private static final double LOGITS = 2e-5;

  @TempDir private Path temporary;

  private static List<Path> families() {
    return FamilyFixtures.all().stream()
        .filter(directory -> Files.exists(directory.resolve("classifier.safetensors")))
        .toList();
  }

  private static Path saved() {
    try {
      return Path.of(
          Objects.requireNonNull(SequenceClassifierTest.class.getResource("/classifier")).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  private static void assertClose(Tensor expected, Tensor actual) {
    double error = FamilyFixtures.difference(actual, expected);
    assertTrue(error <= LOGITS, "logits differ by " + error);
  }

  @ParameterizedTest
  @MethodSource("families")
  void hasTheLogitsAndTheLossOfTransformers(Path directory) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel loaded = SequenceClassifier.load(directory, 3, LoadOptions.stored())) {
      Map<String, Tensor> expected = TensorFile.read(directory.resolve("classifier.safetensors"));
      loaded.model().parameter("score.weight").copy_(expected.get("score.weight"));
      SequenceClassifier classifier = new SequenceClassifier(loaded.model());
      Tensor logits = classifier.logits(expected.get("ids"));
      assertClose(expected.get("logits"), logits);
      double loss = expected.get("loss").item();
      assertEquals(loss, classifier.loss(logits, expected.get("labels")).item(), 1e-5 * loss);

      Path copy = temporary.resolve("copy");
      loaded.save(copy, DType.FLOAT32);
      try (PretrainedModel again = PretrainedModel.load(copy, LoadOptions.stored())) {
        Tensor read = new SequenceClassifier(again.model()).logits(expected.get("ids"));
        assertTrue(read.equal(logits));
      }
    }
  }

  @Test
  void readsWhatPythonSavedAndSavesItAgain() throws IOException {
    Path out = Files.createDirectory(temporary.resolve("adapter"));
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel loaded = PretrainedModel.load(saved(), LoadOptions.stored())) {
      Path adapter = saved().resolve("adapter");
      PeftModel adapted = PeftModel.load(loaded.model(), adapter, true);
      Map<String, Tensor> expected = TensorFile.read(saved().resolve("expected.safetensors"));
      SequenceClassifier classifier = new SequenceClassifier(adapted.model());
      assertClose(expected.get("adapter_logits"), classifier.logits(expected.get("ids")));

      adapted.save(out, null);
      Map<String, Tensor> before = TensorFile.read(adapter.resolve("adapter_model.safetensors"));
      Map<String, Tensor> after = TensorFile.read(out.resolve("adapter_model.safetensors"));
      assertEquals(before.keySet(), after.keySet());
      before.forEach((name, tensor) -> assertTrue(tensor.equal(after.get(name)), name));
      Map<String, Object> config = StrictJson.readObject(out.resolve("adapter_config.json"));
      assertEquals("SEQ_CLS", config.get("task_type"));
      assertEquals(List.of("classifier", "score"), config.get("modules_to_save"));
    }
  }

  @Test
  void aFreshHeadIsTrainedWithTheAdapter() {
    Path directory = families().getFirst();
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = SequenceClassifier.load(directory, 3, LoadOptions.stored())) {
      Map<String, Object> options = Map.of("task_type", "SEQ_CLS", "target_modules", "all-linear");
      PeftModel adapted = PeftModel.create(loaded.model(), LoraConfig.fromMap(options));
      SequenceClassifier classifier = new SequenceClassifier(adapted.model());
      Map<String, Tensor> expected = TensorFile.read(directory.resolve("classifier.safetensors"));
      Autograd.backward(
          classifier.loss(classifier.logits(expected.get("ids")), expected.get("labels")));
      assertTrue(adapted.parameters().containsKey("score.weight"), adapted.parameters() + "");
      assertTrue(adapted.model().parameter("score.weight").grad().abs().max().item() > 0);
    }
  }

  private PretrainedModel altered(String key, Object value) throws IOException {
    Path directory = Files.createDirectory(temporary.resolve("altered"));
    Files.copy(saved().resolve("model.safetensors"), directory.resolve("model.safetensors"));
    Map<String, Object> json = StrictJson.readObject(saved().resolve("config.json"));
    json.put(key, value);
    AtomicFiles.writeString(
        directory.resolve("config.json"), new JsonMapper().writeValueAsString(json));
    return PretrainedModel.load(directory, LoadOptions.stored());
  }

  @Test
  void needsAPaddingIdForSeveralTexts() throws IOException {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = altered("pad_token_id", null)) {
      SequenceClassifier classifier = new SequenceClassifier(loaded.model());
      Tensor ids = TensorFile.read(saved().resolve("expected.safetensors")).get("ids");
      var error = assertThrows(ConfigurationException.class, () -> classifier.logits(ids));
      assertTrue(error.getMessage().contains("pad_token_id"), error.getMessage());
      assertEquals(3, classifier.logits(ids.narrow(0, 1, 1)).size(1));
    }
  }

  @Test
  void severalLabelsOrNumbersHaveTheirLosses() throws IOException {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = altered("problem_type", "multi_label_classification")) {
      SequenceClassifier classifier = new SequenceClassifier(loaded.model());
      Tensor logits = Tensor.ofFloats(new float[] {1, -2, 0.5f}, 1, 3);
      Tensor labels = Tensor.ofFloats(new float[] {1, 0, 1}, 1, 3);
      double expected =
          (Math.log1p(Math.exp(-1)) + Math.log1p(Math.exp(-2)) + Math.log1p(Math.exp(-0.5))) / 3;
      assertEquals(expected, classifier.loss(logits, labels).item(), 1e-6);
      var error =
          assertThrows(
              ConfigurationException.class,
              () -> classifier.loss(logits, Tensor.ofLongs(new long[] {1}, 1)));
      assertEquals(
          "The labels of a multi_label_classification problem are floating-point, not int64",
          error.getMessage());
    }
  }

  @Test
  void refusesALanguageModel() {
    try (PretrainedModel loaded =
        PretrainedModel.load(families().getFirst(), LoadOptions.stored())) {
      assertThrows(ConfigurationException.class, () -> new SequenceClassifier(loaded.model()));
    }
  }
}
