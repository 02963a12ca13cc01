package dev.panatune.peft;

import static dev.panatune.peft.SeveralAdapters.assertGolden;
import static dev.panatune.peft.SeveralAdapters.assertRefused;
import static dev.panatune.peft.SeveralAdapters.withAdapters;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Adapters that are made of others, against those that PEFT makes. */
@ExtendWith({NoLeaks.class, OneThread.class})
class AdapterCombinationsTest {
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
          adapted.addWeightedAdapter("sum", combination, AdapterCombinationsTest::mask);
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
}
