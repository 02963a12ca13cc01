package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.TensorFile;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Full fine-tuning through the commands. */
class FullRunTest {
  private static final String WEIGHTS = "model.safetensors";

  @TempDir Path directory;

  @Test
  void someOfTheModelIsTrainedSavedAndResumed() throws IOException {
    TinyRun run = TinyRun.in(directory);
    String[] overrides = {
      "peft=null", "training.train=['layers.1', norm]", "training.freeze=[k_proj]"
    };
    Outcome outcome = run.train(overrides);
    outcome.succeeded();
    assertTrue(outcome.err().contains("9 of the model's 20 tensors, "), outcome.err());
    double before = run.json("eval.json").at("/before/loss").doubleValue();
    double after = run.json("eval.json").at("/after/loss").doubleValue();
    assertTrue(after < before, before + " to " + after);
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> stored = TensorFile.read(run.model().resolve(WEIGHTS));
      Map<String, Tensor> saved = TensorFile.read(run.output().resolve(WEIGHTS));
      assertEquals(stored.keySet(), saved.keySet());
      saved.forEach((name, tensor) -> {
        boolean trained = name.contains("layers.1.") || name.equals("model.norm.weight");
        assertEquals(trained && !name.contains("k_proj"), !tensor.equal(stored.get(name)), name);
      });
    }
    double found =
        Outcome.of(
                "eval",
                "--model",
                run.output(),
                "--data",
                directory.resolve("eval.jsonl"),
                "--json")
            .json()
            .at("/metrics/loss")
            .doubleValue();
    assertEquals(after, found, 1e-5 * after);
    run.resumesToTheSameBits(WEIGHTS, overrides);
  }

  @Test
  void aPatternThatFitsNothingIsWrongUsage() throws IOException {
    TinyRun.in(directory)
        .train("peft=null", "training.freeze=[embed_token]")
        .failed(2, "freeze: 'embed_token' fits no parameter", "did you mean embed_tokens?");
  }
}
