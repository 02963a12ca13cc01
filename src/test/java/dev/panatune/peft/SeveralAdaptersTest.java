package dev.panatune.peft;

import static dev.panatune.peft.SeveralAdapters.adapter;
import static dev.panatune.peft.SeveralAdapters.assertClose;
import static dev.panatune.peft.SeveralAdapters.assertGolden;
import static dev.panatune.peft.SeveralAdapters.assertRefused;
import static dev.panatune.peft.SeveralAdapters.load;
import static dev.panatune.peft.SeveralAdapters.logits;
import static dev.panatune.peft.SeveralAdapters.withAdapters;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.TensorFile;
import dev.panatune.model.PretrainedModel;
import dev.panatune.nn.Linear;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several adapters on one model, against what PEFT computes. */
@ExtendWith({NoLeaks.class, OneThread.class})
class SeveralAdaptersTest {
  private static final String LAYER = "model.layers.0.self_attn.q_proj";

  @TempDir private Path directory;

  @Test
  void activeAdaptersAreAddedUpSwitchedAndDisabled() {
    withAdapters(
        adapted -> {
          assertEquals(List.of("plain", "target_regex", "dora"), adapted.adapterNames());
          adapted.setAdapter("plain", "target_regex");
          assertGolden("together", adapted);
          adapted.setAdapter("plain", "dora");
          assertGolden("together_dora", adapted);
          adapted.setAdapter("target_regex");
          assertGolden("second", adapted);
          adapted.setEnabled(false);
          assertGolden("base", adapted);
          adapted.setEnabled(true);
          assertGolden("second", adapted);
        },
        "plain",
        "target_regex",
        "dora");
  }

  @Test
  void onlyActiveAdaptersAreTrained() {
    withAdapters(
        adapted -> {
          assertEquals(
              adapted.parameters("plain").size(), adapted.model().trainableParameters().size());
          adapted.addAdapter("fresh", LoraConfig.of(2, 2));
          assertEquals(List.of("plain"), adapted.activeAdapters());
          adapted.setAdapter("fresh");
          Set<Tensor> trained = Set.copyOf(adapted.model().trainableParameters().values());
          assertEquals(Set.copyOf(adapted.parameters("fresh").values()), trained);
          assertGolden("base", adapted);
        },
        "plain");
  }

  @Test
  void aDeletedAdapterIsGoneAndAnotherIsActive() {
    withAdapters(
        adapted -> {
          adapted.deleteAdapter("plain");
          assertEquals(List.of("target_regex"), adapted.activeAdapters());
          assertGolden("second", adapted);
          assertRefused("plain", () -> adapted.setAdapter("plain"));
          adapted.unload();
          assertEquals(Linear.class, adapted.model().child(LAYER).getClass());
        },
        "plain",
        "target_regex");
  }

  @Test
  void anAdapterIsSwappedInPlace() {
    Path other = directory.resolve("other");
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load("plain")) {
      PeftModel adapted = adapter(loaded, "plain");
      LoraConfig config = (LoraConfig) adapted.config();
      LoraConfig changed = config.with(Map.of("lora_alpha", 11, "use_rslora", true));
      other.toFile().mkdirs();
      try (PretrainedModel second = load("plain")) {
        PeftModel fresh = PeftModel.create(second.model(), changed);
        try (GradMode _ = GradMode.disable()) {
          fresh.parameters().values().forEach(tensor -> tensor.fill_(0.1));
        }
        fresh.save(other, null);
        Tensor wanted = logits(second.model());
        Tensor a = ((LoraLinear) loaded.model().child(LAYER)).loraA();
        adapted.hotSwap("plain", other);
        assertClose(wanted, logits(loaded.model()));
        assertEquals(a, ((LoraLinear) loaded.model().child(LAYER)).loraA(), "the same tensor");
        assertEquals(11, ((LoraConfig) adapted.config()).loraAlpha());
      }
      assertThrows(
          FormatException.class,
          () -> adapted.hotSwap("plain", LoraFixtures.named("rslora").adapter()));
      assertThrows(
          ConfigurationException.class,
          () -> adapted.hotSwap("plain", LoraFixtures.named("pissa").adapter()));
    }
  }

  @Test
  void mergedAdaptersComputeWhatPeftsMergeDoes() {
    withAdapters(
        adapted -> {
          MergeReport report = adapted.mergeAndUnload(MergeOptions.DENSE, "target_regex", "plain");
          assertGolden("merged", adapted);
          assertTrue(report.layers().size() > 6);
          assertTrue(
              adapted
                  .model()
                  .namedModules()
                  .noneMatch(it -> it.getValue() instanceof AdapterLayer));
        },
        "plain",
        "target_regex",
        "dora");
    withAdapters(
        adapted -> {
          adapted.mergeAndUnload(MergeOptions.DENSE, "plain", "dora");
          assertGolden("merged_dora", adapted);
        },
        "plain",
        "target_regex",
        "dora");
    withAdapters(
        adapted -> {
          adapted.setAdapter("modules_to_save");
          adapted.mergeAndUnload(MergeOptions.DENSE);
          assertGolden("merged_modules", adapted);
        },
        "rslora",
        "modules_to_save");
  }

  @ParameterizedTest
  @ValueSource(strings = {"plain", "nf4_flat", "fp4_nested"})
  void unmergingGivesBackTheSameBits(String base) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(base)) {
      PeftModel adapted = adapter(loaded, "plain");
      adapted.loadAdapter("dora", LoraFixtures.named("dora").adapter(), false);
      adapted.setAdapter("plain", "dora");
      float[] before = logits(loaded.model()).toFloats();
      adapted.setEnabled(false);
      float[] without = logits(loaded.model()).toFloats();
      adapted.setEnabled(true);
      MergeReport report = adapted.mergeAdapter(MergeOptions.REQUANTIZE.safe());
      assertEquals(14, report.layers().size());
      float[] merged = logits(loaded.model()).toFloats();
      assertFalse(Arrays.equals(without, merged));
      assertRefused("unmerge", () -> adapted.setAdapter("dora"));
      assertRefused("unmerge", () -> adapted.chooseRows(List.of("dora", "dora")));
      adapted.unmergeAdapter();
      assertArrayEquals(before, logits(loaded.model()).toFloats());
      adapted.mergeAdapter(MergeOptions.REQUANTIZE, "dora");
      adapted.setEnabled(false);
      assertArrayEquals(without, logits(loaded.model()).toFloats());
    }
  }

  @Test
  void a4BitBaseIsMergedAsInPeftOrDense() {
    LoraFixtures.Case nf4 = LoraFixtures.named("nf4_nested");
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = nf4.load()) {
      PeftModel adapted = adapter(loaded, "plain");
      adapted.loadAdapter("target_regex", LoraFixtures.named("target_regex").adapter(), false);
      adapted.setAdapter("plain", "target_regex");
      Tensor exact = logits(loaded.model());
      MergeReport packed = adapted.mergeAdapter(MergeOptions.REQUANTIZE, "plain", "target_regex");
      assertGolden("merged_nf4", adapted);
      assertTrue(packed.overall() > 0.01, "4 bits cannot hold the sum");
      adapted.unmergeAdapter();
      MergeReport dense =
          adapted.mergeAdapter(new MergeOptions(DType.FLOAT32, false), "plain", "target_regex");
      assertEquals(0, dense.overall(), 1e-7);
      assertClose(exact, logits(loaded.model()));
      adapted.unmergeAdapter();
      assertEquals(QuantizedLinear.class, loaded.model().child(LAYER + ".base_layer").getClass());
    }
  }

  @Test
  void aBrokenAdapterIsFoundBeforeAnythingIsMerged() {
    withAdapters(
        adapted -> {
          try (GradMode _ = GradMode.disable()) {
            adapted.parameters().values().stream().toList().getLast().fill_(Double.NaN);
          }
          assertRefused("not be finite", () -> adapted.mergeAdapter(MergeOptions.DENSE.safe()));
          adapted.setEnabled(false);
          assertGolden("base", adapted);
        },
        "plain");
  }

  @Test
  void adaptersThatDoNotGoTogetherAreRefused() {
    withAdapters(
        adapted -> {
          assertRefused(
              "token 5",
              () -> {
                adapted.loadAdapter("again", LoraFixtures.named("tokens").adapter(), false);
                adapted.setAdapter("tokens", "again");
              });
          assertRefused("already", () -> adapted.addAdapter("again", LoraConfig.of(2, 2)));
          assertRefused("no name", () -> adapted.addAdapter("a/b", LoraConfig.of(2, 2)));
          assertRefused("IA3", () -> adapted.addAdapter("ia3", Ia3Config.ofFamily()));
        },
        "tokens");
    withAdapters(
        adapted -> {
          Path other = LoraFixtures.named("bias_lora_only").adapter();
          assertRefused("biases", () -> adapted.loadAdapter("other", other, false));
          assertRefused("only adapter", () -> adapted.deleteAdapter("bias_all"));
          adapted.setEnabled(false);
          assertGolden("base", adapted);
        },
        "bias_all");
  }

  @Test
  void adaptersLieInFoldersOfTheirNamesAsInPeft() {
    Path theirs = LoraFixtures.folder("several").resolve("saved");
    assertEquals(Set.of("default", "second"), PeftModel.saved(theirs).keySet());
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load("plain")) {
      PeftModel adapted = PeftModel.load(loaded.model(), theirs, false);
      adapted.loadAdapter("second", theirs.resolve("second"), false);
      adapted.save(directory, null);
      for (String folder : List.of("", "second")) {
        Map<String, Tensor> expected = tensors(theirs.resolve(folder));
        Map<String, Tensor> found = tensors(directory.resolve(folder));
        assertEquals(expected.keySet(), found.keySet());
        expected.forEach(
            (name, tensor) -> assertArrayEquals(tensor.toFloats(), found.get(name).toFloats()));
      }
    }
  }

  private static Map<String, Tensor> tensors(Path folder) {
    return TensorFile.read(folder.resolve(AdapterFiles.WEIGHTS));
  }
}
