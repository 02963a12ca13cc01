package dev.panatune.peft;

import static dev.panatune.peft.SeveralAdapters.assertClose;
import static dev.panatune.peft.SeveralAdapters.assertRefused;
import static dev.panatune.peft.SeveralAdapters.golden;
import static dev.panatune.peft.SeveralAdapters.logits;
import static dev.panatune.peft.SeveralAdapters.withAdapters;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Tensor;
import dev.panatune.train.OneThread;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** An adapter for each row of a batch, against what PEFT computes with {@code adapter_names}. */
@ExtendWith({NoLeaks.class, OneThread.class})
class AdapterRowsTest {
  @Test
  void rowsOfABatchHaveTheAdapterThatIsNamed() {
    withAdapters(
        adapted -> {
          assertRows("rows", adapted, "plain", "__base__", "rslora", "plain");
          assertRefused("2 rows", () -> rows(adapted, List.of("plain", "rslora")));
          assertRefused("other", () -> adapted.chooseRows(List.of("other")));
          adapted.setTraining(true);
          assertRefused("training", () -> adapted.chooseRows(List.of("plain")));
        },
        "plain",
        "rslora");
    withAdapters(
        adapted ->
            assertRows("rows_embedding", adapted, "embedding", "plain", "__base__", "embedding"),
        "plain",
        "embedding");
    withAdapters(
        adapted -> assertRows("rows_tokens", adapted, "tokens", "__base__", "__base__", "tokens"),
        "tokens");
  }

  /** As in PEFT: linear layers and embeddings that are trained whole; other modules are refused. */
  @Test
  void wholeModulesAreOfTheirAdaptersRows() {
    withAdapters(
        adapted -> {
          assertRows(
              "rows_modules",
              adapted,
              "modules_by_row_second",
              "__base__",
              "modules_by_row",
              "modules_by_row_second");
          Tensor plain = rows(adapted, List.of("rslora", "rslora", "__base__", "__base__"));
          adapted.setAdapter("rslora");
          Tensor found = logits(adapted.model());
          assertClose(found, plain.narrow(0, 0, 2));
        },
        "modules_by_row",
        "modules_by_row_second",
        "rslora");
    withAdapters(
        adapted -> {
          assertRefused("norm", () -> adapted.chooseRows(List.of("modules_to_save")));
          assertRefused("bias", () -> adapted.chooseRows(List.of("bias_all", "rslora")));
          rows(adapted, List.of("rslora", "rslora", "__base__", "__base__"));
        },
        "rslora",
        "modules_to_save",
        "bias_all");
  }

  private static void assertRows(String name, PeftModel adapted, String... names) {
    Tensor before = logits(adapted.model());
    assertClose(golden(name), rows(adapted, List.of(names)));
    assertArrayEquals(before.toFloats(), logits(adapted.model()).toFloats());
  }

  private static Tensor rows(PeftModel adapted, List<String> names) {
    Tensor probe = LoraFixtures.probe();
    try (AdapterRows _ = adapted.chooseRows(names);
        GradMode _ = GradMode.disable()) {
      return adapted.model().logits(Tensor.cat(0, probe, probe));
    }
  }
}
