package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.panatune.format.Inspection;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainCommandTest {
  private static final List<String> PRODUCTS =
      List.of(
          "adapter_config.json",
          "adapter_model.safetensors",
          "README.md",
          "run.yaml",
          "trainer_log.jsonl",
          "loss.png",
          "eval.json");

  @TempDir Path directory;
  private TinyRun run;

  @BeforeEach
  void write() throws IOException {
    run = TinyRun.in(directory);
  }

  private byte[] adapter() throws IOException {
    return Files.readAllBytes(run.output().resolve("adapter_model.safetensors"));
  }

  @Test
  void aRunLeavesABetterModelAndAllItsFiles() throws IOException {
    long tensors = TensorScope.liveTensors();
    Outcome outcome =
        run.train("merged=true", "sample_prompts=['Say a.', 'Say b.']", "sample_max_new_tokens=4");
    outcome.succeeded();
    assertEquals(tensors, TensorScope.liveTensors());
    assertEquals("", outcome.out());
    for (String product : PRODUCTS) {
      assertTrue(Files.size(run.output().resolve(product)) > 0, product);
    }
    JsonNode report = run.json("eval.json");
    double before = report.at("/before/perplexity").doubleValue();
    double after = report.at("/after/perplexity").doubleValue();
    assertTrue(after < before / 2, before + " to " + after);
    assertEquals(2, report.get("samples").size());

    List<JsonNode> log = run.log();
    assertEquals(0, log.getFirst().get("step").intValue());
    assertEquals(before, log.getFirst().get("eval_perplexity").doubleValue());
    String card = Files.readString(run.output().resolve("README.md"));
    assertTrue(card.contains("base_model: " + run.model()), card);
    assertTrue(card.contains("| perplexity | %.4f | %.4f |".formatted(before, after)), card);

    JsonNode merged =
        Outcome.of(
                "eval",
                "--model",
                run.output().resolve("merged"),
                "--data",
                directory.resolve("eval.jsonl"),
                "--json")
            .json();
    assertEquals(after, merged.at("/metrics/perplexity").doubleValue(), 1e-3 * after);
  }

  @Test
  void theSavedRunFileMakesTheSameRun() throws IOException {
    run.train().succeeded();
    byte[] first = adapter();
    Path again = directory.resolve("again");
    Outcome.of("train", run.output().resolve("run.yaml"), "--set", "output_dir=" + again)
        .succeeded();
    assertArrayEquals(first, Files.readAllBytes(again.resolve("adapter_model.safetensors")));
  }

  @Test
  void aRunThatIsResumedEndsAsIfItHadNeverStopped() throws IOException {
    run.train().succeeded();
    byte[] whole = adapter();
    for (String later : new String[] {"checkpoint-8", "checkpoint-12"}) {
      deleteTree(run.output().resolve(later));
    }
    Files.delete(run.output().resolve("adapter_model.safetensors"));
    run.train(List.of("--resume", "auto")).succeeded();
    assertArrayEquals(whole, adapter());
    assertEquals(
        List.of(0, 3, 6, 9, 12, 12, 12),
        run.log().stream().map(line -> line.get("step").intValue()).toList());
  }

  /** A matrix of 128 times 32 is just large enough for 8-bit moments. */
  @ParameterizedTest
  @ValueSource(strings = {"adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit"})
  void theOptimizersOfBitsandbytesTrainAndResumeToTheSameBits(String optim) throws IOException {
    String[] overrides = {"training.optim=" + optim, "peft.r=128"};
    Outcome outcome = run.train(overrides);
    outcome.succeeded();
    assertEquals(optim.startsWith("paged"), outcome.err().contains("not paged on a CPU"));
    JsonNode report = run.json("eval.json");
    double before = report.at("/before/loss").doubleValue();
    assertTrue(report.at("/after/loss").doubleValue() < before);
    byte[] whole = adapter();
    for (String later : new String[] {"checkpoint-8", "checkpoint-12"}) {
      deleteTree(run.output().resolve(later));
    }
    run.train(List.of("--resume", "auto"), overrides).succeeded();
    assertArrayEquals(whole, adapter());
  }

  @Test
  void anotherRunsOutputIsKeptUnlessItIsToBeReplaced() throws IOException {
    run.train("training.max_steps=1").succeeded();
    byte[] first = adapter();
    run.train("training.max_steps=2").failed(2, "is not empty", "--resume auto");
    assertArrayEquals(first, adapter());
    run.train("training.max_steps=2", "overwrite_output_dir=true").succeeded();
    assertFalse(Files.exists(run.output().resolve("checkpoint-1")));
  }

  @Test
  void fourBitTrainingEvaluatesAsTheCommandDoes() throws IOException {
    run.train("model.load_in_4bit=true", "model.bnb_4bit_quant_type=nf4", "training.bf16=true")
        .succeeded();
    JsonNode report = run.json("eval.json");
    double after = report.at("/after/loss").doubleValue();
    assertTrue(after < report.at("/before/loss").doubleValue());
    JsonNode found =
        Outcome.of(
                "eval",
                "--model",
                run.model(),
                "--adapter",
                run.output(),
                "--load-in-4bit",
                "--dtype",
                "fp32",
                "--data",
                directory.resolve("eval.jsonl"),
                "--json")
            .json();
    assertEquals(after, found.at("/metrics/loss").doubleValue(), 0.02 * after);
  }

  @Test
  void withoutAPeftSectionTheWholeModelIsTrainedAndSaved() throws IOException {
    run.train("peft=null", "training.learning_rate=0.003").succeeded();
    JsonNode report = run.json("eval.json");
    assertTrue(
        report.at("/after/loss").doubleValue() < report.at("/before/loss").doubleValue() - 1);
    assertEquals(Inspection.Kind.MODEL, Inspection.of(run.output()).kind());
    JsonNode found =
        Outcome.of(
                "eval",
                "--model",
                run.output(),
                "--data",
                directory.resolve("eval.jsonl"),
                "--json")
            .json();
    assertEquals(
        report.at("/after/loss").doubleValue(), found.at("/metrics/loss").doubleValue(), 1e-4);
  }

  @Test
  void anAdapterCanBeTrainedOn() throws IOException {
    run.train("training.max_steps=6").succeeded();
    double first = run.json("eval.json").at("/after/loss").doubleValue();
    Path second = directory.resolve("second");
    Outcome.of(
            "train",
            run.file(),
            "--set",
            "peft={adapter_name_or_path: \"" + run.output() + "\"}",
            "--set",
            "output_dir=" + second)
        .succeeded();
    TinyRun next = new TinyRun(run.model(), run.file(), second);
    assertEquals(first, next.json("eval.json").at("/before/loss").doubleValue(), 1e-5);
  }

  @Test
  void rowsThatAreTooLongAreCountedAndReported() throws IOException {
    String err = run.train("data.max_length=30", "training.max_steps=1").succeeded().err();
    assertTrue(err.contains("26 of 26 cut to max_length 30"), err);
    assertEquals(26, run.json("eval.json").get("truncated_rows").intValue());
  }

  @Test
  void aHeldOutPartOfTheRowsCanBeEvaluatedOn() throws IOException {
    run.train("data.eval=null", "data.validation_split=0.25", "training.max_steps=1").succeeded();
    assertEquals(26 - 7, run.json("eval.json").get("train_rows").intValue());
  }

  static void deleteTree(Path tree) throws IOException {
    try (var paths = Files.walk(tree)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
