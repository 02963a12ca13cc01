package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.model.Batch;
import dev.panatune.model.FamilyFixtures;
import dev.panatune.model.LossSums;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import java.nio.file.Path;
import java.util.Map;

/** The logits, the loss and the gradients of a step of LoRA, against those of PEFT. */
final class LoraStep {
  private static final double LOGITS = 2e-5;
  private static final double LOSS = 1e-5;
  private static final double GRADIENT = 1e-4;
  private static final String PREFIX = "gradient.base_model.model.";

  private LoraStep() {}

  /**
   * Takes the step, in the innermost scope.
   *
   * @param expected {@code ids}, {@code adapter_logits}, {@code adapter_loss} and the gradients of
   *     all of the adapter's tensors
   */
  static void assertThatOfPeft(PretrainedModel loaded, Path adapter, Map<String, Tensor> expected) {
    PeftModel adapted = PeftModel.load(loaded.model(), adapter, true);
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
