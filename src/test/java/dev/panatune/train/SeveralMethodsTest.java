package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.TensorFile;
import dev.panatune.model.PretrainedModel;
import dev.panatune.nn.Linear;
import dev.panatune.peft.Combination;
import dev.panatune.peft.CombinationType;
import dev.panatune.peft.Ia3Config;
import dev.panatune.peft.LoraConfig;
import dev.panatune.peft.MergeOptions;
import dev.panatune.peft.PeftModel;
import dev.panatune.peft.TargetModules;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Several adapters of one method other than LoRA on one model, against what PEFT computes ({@code
 * make_several_methods.py}).
 */
@ExtendWith({NoLeaks.class, OneThread.class})
class SeveralMethodsTest {
  private static final ParityCases CASES = new ParityCases("methods");
  private static final double TOLERANCE = 2e-5;

  @TempDir private Path directory;

  /** Does something with adapters under their own names on one base; the first is active. */
  private static void with(Consumer<Adapted> use, String... names) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = CASES.base(names[0])) {
      PeftModel adapted = PeftModel.load(loaded.model(), CASES.adapter(names[0]), true, names[0]);
      for (int i = 1; i < names.length; i++) {
        adapted.loadAdapter(names[i], CASES.adapter(names[i]), !names[i].contains("projected"));
      }
      use.accept(new Adapted(loaded, adapted));
    }
  }

  private record Adapted(PretrainedModel loaded, PeftModel model) {
    void assertGolden(String name) {
      Tensor expected = TensorFile.read(CASES.fixture("several.safetensors")).get(name);
      double error = ParityCases.error(CASES.logits(loaded), expected);
      assertTrue(error <= TOLERANCE, name + " is off by " + error);
    }

    Set<Tensor> trained() {
      return Set.copyOf(loaded.model().trainableParameters().values());
    }
  }

  private static void assertRefused(String part, Executable action) {
    var error = assertThrows(ConfigurationException.class, action);
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }

  @Test
  void vectorsOfSeveralAdaptersActTogetherAndAlone() {
    with(
        it -> {
          it.model().setAdapter("ia3_default", "ia3_second", "ia3_regex");
          it.assertGolden("ia3_together");
          it.model().setAdapter("ia3_second");
          it.assertGolden("ia3_second");
          assertEquals(Set.copyOf(it.model().parameters("ia3_second").values()), it.trained());
          it.model().setEnabled(false);
          it.assertGolden("base");
          it.model().setEnabled(true);
          it.model().deleteAdapter("ia3_second");
          assertEquals(List.of("ia3_default"), it.model().activeAdapters());
          it.model().setAdapter("ia3_default", "ia3_regex");
          it.assertGolden("ia3_deleted");
          it.model().unload();
          it.assertGolden("base");
          assertEquals(
              Linear.class,
              it.loaded().model().child("model.layers.0.self_attn.k_proj").getClass());
        },
        "ia3_default",
        "ia3_second",
        "ia3_regex");
  }

  @Test
  void vectorsAreMergedOneAfterAnotherAndUnmergedToTheSameBits() {
    with(
        it -> {
          it.model().setAdapter("ia3_default", "ia3_second");
          float[] before = CASES.logits(it.loaded()).toFloats();
          it.model().mergeAdapter(MergeOptions.DENSE.safe());
          it.assertGolden("ia3_merged");
          it.model().unmergeAdapter();
          assertArrayEquals(before, CASES.logits(it.loaded()).toFloats());
          it.model().mergeAndUnload(MergeOptions.DENSE, "ia3_second", "ia3_default");
          it.assertGolden("ia3_merged");
        },
        "ia3_default",
        "ia3_second",
        "ia3_regex");
  }

  @Test
  void vectorsAreAddedUpAsInPeft() {
    with(
        it -> {
          add(it, "ia3_sum", List.of("ia3_default", "ia3_second"), List.of(0.7, 0.5));
          add(it, "ia3_negative", List.of("ia3_second", "ia3_default"), List.of(1.4, -0.3));
          add(it, "ia3_one", List.of("ia3_regex"), List.of(0.9));
          assertRefused(
              "names and expressions",
              () -> add(it, "mixed", List.of("ia3_default", "ia3_regex"), List.of(1.0, 1.0)));
          Combination ties =
              Combination.of(
                  CombinationType.TIES, List.of("ia3_default", "ia3_second"), List.of(1.0, 1.0));
          assertRefused("ties", () -> it.model().addWeightedAdapter("ties", ties));
        },
        "ia3_default",
        "ia3_second",
        "ia3_regex");
  }

  private static void add(Adapted it, String name, List<String> names, List<Double> weights) {
    it.model().addWeightedAdapter(name, Combination.of(CombinationType.LINEAR, names, weights));
    it.model().setAdapter(name);
    it.assertGolden(name);
    assertTrue(it.trained().isEmpty());
  }

  @ParameterizedTest
  @CsvSource({"prompt_random, prompt_sample, 5, 3", "prefix, prefix_projected, 4, 5"})
  void oneOfSeveralVirtualTokensIsInFrontOfATextAtATime(
      String first, String second, int firstCount, int secondCount) {
    with(
        it -> {
          it.assertGolden(first);
          assertEquals(firstCount, it.loaded().model().virtualPositions());
          it.model().setAdapter(second);
          it.assertGolden(second);
          assertEquals(secondCount, it.loaded().model().virtualPositions());
          assertTrue(it.trained().isEmpty() == second.contains("projected"));
          assertRefused("in front of a text", () -> it.model().setAdapter(first, second));
          it.model().setEnabled(false);
          it.assertGolden("base");
          it.model().setEnabled(true);
          it.assertGolden(second);
          it.model().save(directory, null);
          it.model().deleteAdapter(second);
          it.assertGolden(first);
          assertEquals(Set.copyOf(it.model().parameters().values()), it.trained());
          assertRefused(
              "can be combined",
              () ->
                  it.model()
                      .addWeightedAdapter(
                          "sum",
                          Combination.of(CombinationType.LINEAR, List.of(first), List.of(0.5))));
          it.model().loadAdapter("again", directory.resolve(second), false);
          it.model().setAdapter("again");
          it.assertGolden(second);
          it.model().unload();
          it.assertGolden("base");
        },
        first,
        second);
  }

  @Test
  void whatPeftDoesNotPutTogetherIsRefused() {
    with(
        it -> {
          assertRefused("one method", () -> it.model().addAdapter("lora", LoraConfig.of(2, 2)));
          Ia3Config other =
              Ia3Config.of(TargetModules.of("down_proj"), new TargetModules.Names(List.of()));
          assertRefused("scales the input", () -> it.model().addAdapter("other", other));
          assertRefused("by row", () -> it.model().chooseRows(List.of("ia3_default")));
          assertRefused(
              "swapped", () -> it.model().hotSwap("ia3_default", CASES.adapter("ia3_default")));
          assertEquals(List.of("ia3_default"), it.model().adapterNames());
          it.model().addAdapter("fresh", Ia3Config.ofFamily());
          it.model().setAdapter("fresh");
          it.assertGolden("base");
          it.model().save(directory, null);
          assertEquals(Set.of("ia3_default", "fresh"), PeftModel.saved(directory).keySet());
        },
        "ia3_default");
  }
}
