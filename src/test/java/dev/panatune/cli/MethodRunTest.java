package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A method other than LoRA through the commands: train, eval, generate, merge, resume. */
class MethodRunTest {
  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "IA3 adapter | adapter_model.safetensors | true | {peft_type: IA3}",
        "Soft prompt | adapter_model.safetensors | false"
            + " | {peft_type: PROMPT_TUNING, num_virtual_tokens: 4, prompt_tuning_init: TEXT,"
            + " prompt_tuning_init_text: Say a. Say b.}",
        "Prefix | adapter_model.safetensors | false"
            + " | {peft_type: PREFIX_TUNING, num_virtual_tokens: 4, prefix_projection: true}",
      })
  void aMethodRunsFromOneFile(String label, String weights, boolean merges, String peft)
      throws IOException {
    long tensors = TensorScope.liveTensors();
    TinyRun run = TinyRun.in(directory);
    String section = "peft=" + peft;
    run.train(section).succeeded();
    assertEquals(tensors, TensorScope.liveTensors());
    double before = run.json("eval.json").at("/before/loss").doubleValue();
    double after = run.json("eval.json").at("/after/loss").doubleValue();
    assertTrue(after < before, before + " to " + after);
    assertTrue(Files.readString(run.output().resolve("README.md")).contains(label));

    assertEquals(after, loss(run.model(), "--adapter", run.output()), 1e-5 * after);
    JsonNode answer =
        Outcome.of(
                "generate",
                "--model",
                run.model(),
                "--adapter",
                run.output(),
                "--prompt",
                "Say a.",
                "--max-new-tokens",
                "4",
                "--greedy",
                "--json")
            .json();
    assertTrue(answer.get("token_ids").size() > 0);

    Path merged = directory.resolve("merged");
    Outcome merge =
        Outcome.of("merge", "--model", run.model(), "--adapter", run.output(), "--out", merged);
    if (merges) {
      merge.succeeded();
      assertEquals(after, loss(merged), 1e-3 * after);
    } else {
      merge.failed(2, "cannot be merged");
    }
    resume(run, section, weights);
  }

  private void resume(TinyRun run, String section, String weights) throws IOException {
    byte[] whole = Files.readAllBytes(run.output().resolve(weights));
    TrainCommandTest.deleteTree(run.output().resolve("checkpoint-12"));
    Files.delete(run.output().resolve(weights));
    run.train(List.of("--resume", "auto"), section).succeeded();
    assertArrayEquals(whole, Files.readAllBytes(run.output().resolve(weights)));
  }

  private double loss(Path model, Object... further) {
    List<Object> arguments = new java.util.ArrayList<>(List.of("eval", "--model", model));
    arguments.addAll(List.of("--data", directory.resolve("eval.jsonl"), "--json"));
    arguments.addAll(List.of(further));
    return Outcome.of(arguments.toArray()).json().at("/metrics/loss").doubleValue();
  }
}
