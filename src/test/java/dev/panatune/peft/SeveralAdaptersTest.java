package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.TensorFile;
import dev.panatune.model.CausalLM;
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
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Several adapters on one model, against what PEFT computes ({@code make_adapters_fixtures.py}).
 */
@ExtendWith({NoLeaks.class, OneThread.class})
class SeveralAdaptersTest {
  private static final String LAYER = "model.layers.0.self_attn.q_proj";
  private static final double TOLERANCE = 2e-5;

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
    withAdapters(
        adapted ->
            assertRefused("whole", () -> adapted.chooseRows(List.of("rslora", "modules_to_save"))),
        "rslora",
        "modules_to_save");
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

  @ParameterizedTest
  @EnumSource(CombinationType.class)
  void combinedAdaptersAreThoseOfPeft(CombinationType type) {
    double density =
        type.name().startsWith("TIES") ? 0.5 : type.name().startsWith("DARE") ? 0.6 : 0.4;
    Combination combination =
        Combination.of(type, List.of("plain", "exclude_names"), List.of(0.7, 0.5));
    assertCombined(
        "sum_" + type.peftName(), type.prunes() ? combination.withDensity(density) : combination);
  }

  @Test
  void combinationsTakeTheOptionsOfPeft() {
    assertCombined(
        "sum_negative",
        Combination.of(
            CombinationType.LINEAR, List.of("plain", "exclude_names"), List.of(1.2, -0.4)));
    assertCombined(
        "sum_frequency",
        new Combination(
            List.of("plain", "exclude_names"),
            List.of(1.0, 0.5),
            CombinationType.TIES,
            OptionalInt.empty(),
            OptionalDouble.empty(),
            OptionalDouble.of(0.7),
            "frequency"));
    assertCombined(
        "sum_ranks_cat",
        Combination.of(CombinationType.CAT, List.of("plain", "rank_pattern"), List.of(0.5, 0.5)));
    assertCombined(
        "sum_ranks_svd",
        new Combination(
            List.of("plain", "rank_pattern"),
            List.of(0.5, 0.5),
            CombinationType.SVD,
            OptionalInt.of(3),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            "total"));
    assertCombined(
        "sum_clamped",
        new Combination(
            List.of("plain", "exclude_names"),
            List.of(0.5, 0.5),
            CombinationType.SVD,
            OptionalInt.empty(),
            OptionalDouble.of(0.9),
            OptionalDouble.empty(),
            "total"));
    assertCombined(
        "sum_embedding",
        Combination.of(CombinationType.SVD, List.of("embedding", "plain"), List.of(0.5, 0.5)));
    assertCombined("sum_one", Combination.of(CombinationType.SVD, List.of("plain"), List.of(0.3)));
  }

  private static void assertCombined(String name, Combination combination) {
    withAdapters(
        adapted -> {
          adapted.addWeightedAdapter("sum", combination, SeveralAdaptersTest::mask);
          adapted.setAdapter("sum");
          assertGolden(name, adapted);
        },
        combination.adapters().toArray(String[]::new));
  }

  /** Keeps a value by its place alone, as the fixture's script does. */
  private static Tensor mask(Tensor like, double density) {
    Tensor places =
        Tensor.arange(0, like.numel(), DType.INT64).to(DType.FLOAT64).mul(0.6180339887498949);
    Tensor fraction = places.sub(places.to(DType.INT64).to(DType.FLOAT64));
    return fraction.lt(density).to(DType.FLOAT32).reshape(like.shape());
  }

  @Test
  void randomMasksKeepTheirShare() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor mask = TaskArithmetic.Masks.RANDOM.draw(Tensor.zeros(DType.FLOAT32, 100, 100), 0.3);
      assertEquals(0.3, mask.mean().item(), 0.02);
      assertEquals(1, mask.max().item());
      assertEquals(0, mask.min().item());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "linear, plain, rank_pattern, one rank",
    "ties, plain, exclude_names, density",
    "svd, plain, dora, use_dora",
    "svd, plain, lora_bias, lora_bias",
    "svd, plain, tokens, trainable_token_indices",
    "svd, rslora, modules_to_save, modules_to_save",
    "cat, plain, target_regex, expressions",
    "mean, plain, rslora, combination_type",
  })
  void adaptersThatCannotBeCombinedAreRefused(
      String type, String first, String second, String part) {
    withAdapters(
        adapted -> {
          assertRefused(
              part,
              () ->
                  adapted.addWeightedAdapter(
                      "sum",
                      Combination.of(
                          CombinationType.parse(type), List.of(first, second), List.of(1.0, 1.0))));
          assertEquals(2, adapted.adapterNames().size());
        },
        first,
        second);
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

  /** Does something with adapters under their own names on a fresh base; the first is active. */
  private static void withAdapters(Consumer<PeftModel> use, String... names) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(names[0])) {
      PeftModel adapted = adapter(loaded, names[0]);
      for (int i = 1; i < names.length; i++) {
        adapted.loadAdapter(names[i], LoraFixtures.named(names[i]).adapter(), true);
      }
      use.accept(adapted);
    }
  }

  private static PretrainedModel load(String name) {
    return LoraFixtures.named(name).load();
  }

  private static PeftModel adapter(PretrainedModel loaded, String name) {
    return PeftModel.load(loaded.model(), LoraFixtures.named(name).adapter(), true, name);
  }

  private static void assertGolden(String name, PeftModel adapted) {
    assertClose(golden(name), logits(adapted.model()));
  }

  private static Tensor golden(String name) {
    return TensorFile.read(LoraFixtures.folder("several").resolve("logits.safetensors")).get(name);
  }

  private static Tensor logits(CausalLM model) {
    try (GradMode _ = GradMode.disable()) {
      return model.logits(LoraFixtures.probe());
    }
  }

  private static void assertClose(Tensor expected, Tensor found) {
    double error = found.sub(expected).abs().max().item() / expected.abs().max().item();
    assertTrue(error <= TOLERANCE, "off by " + error);
  }

  private static void assertRefused(String part, Executable action) {
    var error = assertThrows(ConfigurationException.class, action);
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }
}
