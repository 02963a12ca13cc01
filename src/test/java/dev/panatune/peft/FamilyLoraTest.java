package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.TensorFile;
import dev.panatune.model.Batch;
import dev.panatune.model.FamilyFixtures;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.LossSums;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
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
  private static final double LOGITS = 2e-5;
  private static final double LOSS = 1e-5;
  private static final double GRADIENT = 1e-4;
  private static final String PREFIX = "gradient.base_model.model.";

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
      PeftModel adapted = PeftModel.load(loaded.model(), directory.resolve("adapter"), true);
      Map<String, Tensor> expected = FamilyFixtures.expected(directory);
      Tensor logits = adapted.model().logits(expected.get("ids"));
      double error = FamilyFixtures.difference(logits, expected.get("adapter_logits"));
      assertTrue(error <= LOGITS, "logits differ by " + error);

      try (Batch batch = FamilyFixtures.batch(expected.get("ids"))) {
        LossSums sums = adapted.model().loss(batch);
        double stated = expected.get("adapter_loss").item();
        assertEquals(stated, sums.loss().item() / batch.targetTokens(), LOSS * stated);
        Autograd.backward(sums.loss(), Tensor.scalar(1.0 / batch.targetTokens(), DType.FLOAT32));
      }
      int compared = 0;
      for (Map.Entry<String, Tensor> entry : expected.entrySet()) {
        if (entry.getKey().startsWith(PREFIX)) {
          String name = entry.getKey().substring(PREFIX.length());
          Tensor gradient = adapted.model().parameter(name).grad();
          double distance =
              gradient.sub(entry.getValue()).norm().item() / entry.getValue().norm().item();
          assertTrue(distance <= GRADIENT, "%s differs by %e".formatted(name, distance));
          compared++;
        }
      }
      assertEquals(adapted.parameters().size(), compared);
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
