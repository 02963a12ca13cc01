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

  private static double loss(Object... options) {
    Object[] arguments = new Object[options.length + 8];
    System.arraycopy(
        new Object[] {"eval", "--data", rows, "--json", "--threads", 1, "--dtype", "fp32"},
        0,
        arguments,
        0,
        8);
    System.arraycopy(options, 0, arguments, 8, options.length);
    return Outcome.of(arguments).json().at("/metrics/loss").doubleValue();
  }

  @Test
  void theyAreAddedUpOrCombinedByWeight() {
    double one = loss("--model", model, "--adapter", first);
    double base = loss("--model", model);
    double both = loss("--model", model, "--adapter", first, "--adapter", "b=" + second);
    assertTrue(Math.abs(both - one) > 1e-3 * one, both + " is near " + one);
    double sum =
        loss(
            "--model",
            model,
            "--adapter",
            "a=" + first,
            "--adapter",
            "b=" + second,
            "--adapter-weights",
            "1,1",
            "--combination",
            "cat");
    assertEquals(both, sum, 1e-5 * both);
    double halves =
        loss(
            "--model",
            model,
            "--adapter",
            "a=" + first,
            "--adapter",
            "b=" + first,
            "--adapter-weights",
            "0.5,0.5");
    assertEquals(one, halves, 1e-5 * one);
    double none =
        loss(
            "--model",
            model,
            "--adapter",
            "a=" + first,
            "--adapter",
            "b=" + first,
            "--adapter-weights",
            "1,-1",
            "--combination",
            "cat");
    assertEquals(base, none, 1e-5 * base);
  }

  @Test
  void mergedTogetherTheyComputeTheSame() {
    Object[] adapters = {
      "--model",
      model,
      "--adapter",
      "a=" + first,
      "--adapter",
      "b=" + second,
      "--adapter-weights",
      "0.7,0.4",
      "--combination",
      "svd"
    };
    Path merged = directory.resolve("merged");
    Object[] command = new Object[adapters.length + 3];
    command[0] = "merge";
    System.arraycopy(adapters, 0, command, 1, adapters.length);
    command[adapters.length + 1] = "--out";
    command[adapters.length + 2] = merged;
    Outcome.of(command).succeeded();
    double beside = loss(adapters);
    assertEquals(beside, loss("--model", merged), 1e-5 * beside);
  }

  @Test
  void optionsThatDoNotGoTogetherAreUsageErrors() {
    assertRefused("--adapter-weights", "--combination", "cat");
    assertRefused("one weight for each", "--adapter-weights", "1,2");
    assertRefused(
        "density",
        "--adapter-weights",
        "1",
        "--adapter",
        "b=" + second,
        "--adapter-weights",
        "1",
        "--combination",
        "ties");
    assertRefused("known are linear", "--adapter-weights", "1", "--combination", "mean");
    assertRefused("given twice", "--adapter", "default=" + second);
  }

  private static void assertRefused(String part, Object... options) {
    Object[] arguments = new Object[options.length + 7];
    System.arraycopy(
        new Object[] {"eval", "--model", model, "--data", rows, "--adapter", first},
        0,
        arguments,
        0,
        7);
    System.arraycopy(options, 0, arguments, 7, options.length);
    Outcome.of(arguments).failed(2, part);
  }
}
