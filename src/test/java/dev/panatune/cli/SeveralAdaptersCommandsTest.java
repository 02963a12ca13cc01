package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.LoraConfig;
import dev.panatune.peft.PeftModel;
import dev.panatune.tensor.Rng;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --adapter} given several times. */
class SeveralAdaptersCommandsTest {
  @TempDir static Path shared;
  private static Path model;
  private static Path first;
  private static Path second;
  private static Path rows;

  @TempDir Path directory;

  @BeforeAll
  static void save() throws IOException {
    model = TinyModel.save(shared.resolve("model"));
    rows = TinyModel.rows(shared.resolve("rows.jsonl"), 6);
    first = adapter("first", 1);
    second = adapter("second", 2);
  }

  private static Path adapter(String name, long seed) throws IOException {
    Path directory = Files.createDirectory(shared.resolve(name));
    try (PretrainedModel loaded = PretrainedModel.load(model, LoadOptions.stored())) {
      Rng.seed(seed);
      PeftModel.create(
              loaded.model(),
              LoraConfig.of(4, 8)
                  .with(Map.of("init_lora_weights", false, "target_modules", "all-linear")))
          .save(directory, null);
    }
    return directory;
  }

  /** A command and its options, of which those given as one text are parted by spaces. */
  private static Outcome run(String command, Object... further) {
    List<Object> arguments = new ArrayList<>(List.of(command.split(" ")));
    arguments.addAll(List.of(further));
    return Outcome.of(arguments.toArray());
  }

  private static double loss(Path model, Object... options) {
    return run("eval --json --threads 1 --dtype fp32 --data " + rows + " --model " + model, options)
        .json()
        .at("/metrics/loss")
        .doubleValue();
  }

  /** Two adapters, with weights, and how they are combined. */
  private static Object[] combined(Path a, Path b, String weights, String kind) {
    return new Object[] {
      "--adapter",
      "a=" + a,
      "--adapter",
      "b=" + b,
      "--adapter-weights",
      weights,
      "--combination",
      kind
    };
  }

  @Test
  void theyAreAddedUpOrCombinedByWeight() {
    double base = loss(model);
    double one = loss(model, "--adapter", first);
    double both = loss(model, "--adapter", first, "--adapter", "b=" + second);
    assertTrue(Math.abs(both - one) > 1e-3 * one, both + " is near " + one);
    assertEquals(both, loss(model, combined(first, second, "1,1", "cat")), 1e-5 * both);
    assertEquals(one, loss(model, combined(first, first, "0.5,0.5", "svd")), 1e-5 * one);
    assertEquals(base, loss(model, combined(first, first, "1,-1", "cat")), 1e-5 * base);
  }

  @Test
  void byDefaultTheyAreCombinedAsInPeft() {
    Object[] stated = combined(first, second, "0.5,0.7", "svd");
    assertEquals(loss(model, stated), loss(model, Arrays.copyOf(stated, 6)));
  }

  @Test
  void mergedTogetherTheyComputeTheSame() {
    Object[] adapters = combined(first, second, "0.7,0.4", "svd");
    Path merged = directory.resolve("merged");
    run("merge --model " + model + " --out " + merged, adapters).succeeded();
    double beside = loss(model, adapters);
    assertEquals(beside, loss(merged), 1e-5 * beside);
  }

  @Test
  void optionsThatDoNotGoTogetherAreUsageErrors() {
    assertRefused("--adapter-weights", "--combination cat");
    assertRefused("one weight for each", "--adapter-weights 1,2");
    assertRefused("density", "--adapter b=" + second + " --adapter-weights 1,1 --combination ties");
    assertRefused("known are linear", "--adapter-weights 1 --combination mean");
    assertRefused("given twice", "--adapter default=" + second);
  }

  private static void assertRefused(String part, String options) {
    String command = "eval --model %s --data %s --adapter %s ".formatted(model, rows, first);
    run(command + options).failed(2, part);
  }
}
