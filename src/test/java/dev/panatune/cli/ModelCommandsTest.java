package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.panatune.data.ByteTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What can be done with a model and an adapter once they are there. */
class ModelCommandsTest {
  @TempDir static Path shared;
  private static Path model;
  private static Path adapter;
  private static Path rows;

  private final InputStream input = System.in;
  @TempDir Path directory;

  @BeforeAll
  static void train() throws IOException {
    TinyRun run = TinyRun.in(shared);
    run.train("training.save_strategy=no").succeeded();
    model = run.model();
    adapter = run.output();
    rows = shared.resolve("eval.jsonl");
  }

  private static double loss(Object... model) {
    Object[] arguments = new Object[model.length + 6];
    System.arraycopy(
        new Object[] {"eval", "--data", rows, "--json", "--threads", 1}, 0, arguments, 0, 6);
    System.arraycopy(model, 0, arguments, 6, model.length);
    return Outcome.of(arguments).json().at("/metrics/loss").doubleValue();
  }

  @Test
  void evalReportsWhatWasAskedFor() {
    JsonNode all = Outcome.of("eval", "--model", model, "--data", rows, "--json").json();
    assertEquals(10, all.get("examples").intValue());
    assertEquals(70, all.get("tokens").intValue());
    assertTrue(all.get("seconds").doubleValue() > 0);
    assertEquals(
        Math.exp(all.at("/metrics/loss").doubleValue()),
        all.at("/metrics/perplexity").doubleValue(),
        1e-9);
    assertTrue(all.at("/metrics/token_accuracy").isDouble());
    JsonNode one =
        Outcome.of("eval", "--model", model, "--data", rows, "--metrics", "loss", "--json").json();
    assertEquals(List.of("loss"), List.copyOf(keys(one.get("metrics"))));
    String text = Outcome.of("eval", "--model", model, "--data", rows).succeeded().out();
    assertTrue(text.contains("perplexity"), text);
  }

  private static List<String> keys(JsonNode node) {
    return node.properties().stream().map(entry -> entry.getKey()).toList();
  }

  @Test
  void evalComputesInTheTypeAskedFor() {
    double exact = loss("--model", model, "--dtype", "fp32");
    double rounded = loss("--model", model, "--dtype", "bf16");
    assertNotEquals(exact, rounded);
    assertEquals(exact, rounded, 0.02 * exact);
  }

  @Test
  void generateAnswersWithTheTokensThatItSays() {
    JsonNode answer =
        Outcome.of(
                "generate",
                "--model",
                model,
                "--adapter",
                adapter,
                "--prompt",
                "Say a.",
                "--max-new-tokens",
                "5",
                "--greedy",
                "--json")
            .json();
    assertEquals(
        List.of("text", "token_ids", "prompt_token_ids", "finish_reason", "seconds"), keys(answer));
    assertTrue(answer.get("token_ids").size() <= 5);
    // The template's first token, so the prompt was put as a question.
    assertEquals(256, answer.at("/prompt_token_ids/0").intValue());
    JsonNode raw =
        Outcome.of(
                "generate",
                "--model",
                model,
                "--prompt",
                "ab",
                "--prompt-format",
                "raw",
                "--max-new-tokens",
                "3",
                "--json")
            .json();
    assertEquals(
        List.of(97, 98),
        List.of(
            raw.at("/prompt_token_ids/0").intValue(), raw.at("/prompt_token_ids/1").intValue()));
  }

  @Test
  void theSameSeedWritesTheSameText() {
    Object[] command = {
      "generate", "--model", model, "--prompt", "Say a.", "--max-new-tokens", "12", "--seed", "5"
    };
    assertEquals(Outcome.of(command).succeeded().out(), Outcome.of(command).succeeded().out());
  }

  @Test
  void chatAnswersEveryLineUntilItIsLeft() {
    System.setIn(
        new ByteArrayInputStream(
            "Say a.\n\nSay b.\n/reset\nSay c.\n/exit\nSay d.\n".getBytes(StandardCharsets.UTF_8)));
    try {
      Outcome outcome =
          Outcome.of("chat", "--model", model, "--adapter", adapter, "--max-new-tokens", "4")
              .succeeded();
      assertEquals(6, outcome.err().chars().filter(c -> c == '>').count(), outcome.err());
      assertTrue(outcome.out().lines().count() >= 3, outcome.out());
    } finally {
      System.setIn(input);
    }
  }

  @Test
  void aMergedModelIsTheModelWithItsAdapter() {
    Path merged = directory.resolve("merged");
    Outcome.of("merge", "--model", model, "--adapter", adapter, "--out", merged).succeeded();
    assertEquals(loss("--model", model, "--adapter", adapter), loss("--model", merged), 1e-4);
    Outcome.of("merge", "--model", model, "--adapter", adapter, "--out", merged)
        .failed(2, "is not empty");
  }

  @Test
  void aMergeInto4BitIsReportedWithItsDrift() {
    Path merged = directory.resolve("merged");
    String err =
        Outcome.of(
                "merge",
                "--model",
                model,
                "--adapter",
                adapter,
                "--load-in-4bit",
                "--requantize",
                "--out",
                merged)
            .succeeded()
            .err();
    assertTrue(err.contains("merged 14 layers"), err);
    JsonNode found = Outcome.of("inspect", merged, "--json").json();
    assertTrue(found.at("/metadata/config").has("quantization_config"), found.toString());
  }

  @Test
  void aQuantisedModelIsWhatLoadingIn4BitGives() {
    Path quantized = directory.resolve("quantized");
    Outcome.of("quantize", "--model", model, "--out", quantized, "--dtype", "fp32").succeeded();
    assertEquals(
        loss("--model", model, "--load-in-4bit", "--dtype", "fp32"),
        loss("--model", quantized),
        1e-6);
  }

  @Test
  void anExportedModelIsTheSame() {
    Path file = directory.resolve("model.gguf");
    Path again = directory.resolve("again");
    Outcome.of("export", "--model", model, "--out", file, "--type", "f32").succeeded();
    assertEquals("gguf", Outcome.of("inspect", file, "--json").json().get("kind").textValue());
    Outcome.of("export", "--model", file, "--out", again).succeeded();
    assertEquals(loss("--model", model, "--dtype", "fp32"), loss("--model", again), 1e-6);
  }

  @Test
  void exportRefusesWhatDoesNotFit() throws IOException {
    Path file = Files.writeString(directory.resolve("there.gguf"), "");
    Path free = directory.resolve("free.gguf");
    Outcome.of("export", "--model", model, "--out", file).failed(2, "is there already");
    Outcome.of("export", "--model", model, "--out", free, "--type", "q4_0").failed(2, "q8_0");
    Outcome.of("export", "--model", model, "--out", free, "--dtype", "fp32").failed(2, "--dtype");
    Outcome.of("export", "--model", model, "--out", directory.resolve("d"), "--type", "f16")
        .failed(2, "--type");
  }

  @Test
  void inspectSaysWhatIsThere() {
    JsonNode found = Outcome.of("inspect", adapter, "--json").json();
    assertEquals("adapter", found.get("kind").textValue());
    assertEquals(28, found.get("tensors").size());
    JsonNode first = found.at("/tensors/0");
    assertEquals(List.of("name", "dtype", "shape"), keys(first));
    assertEquals(8, found.at("/metadata/adapter_config/r").intValue());
    String text = Outcome.of("inspect", model).succeeded().out();
    assertTrue(text.contains("model.embed_tokens.weight"), text);
    assertTrue(text.contains("[" + ByteTokenizer.VOCABULARY + ", 64]"), text);
  }

  @Test
  void inspectObeysNoFile() throws IOException {
    Path evil = directory.resolve("evil.pt");
    Files.write(evil, new byte[] {'P', 'K', 3, 4, 0, 0, 0, 0, 0, 0});
    Outcome.of("inspect", evil).failed(1, "evil.pt");
    Outcome.of("inspect", directory.resolve("none")).failed(1, "none");
  }

  @Test
  void doctorFindsThisInstallationHealthy() {
    JsonNode found = Outcome.of("doctor", "--json").json();
    assertEquals(0, found.get("problems").size(), found.toString());
    assertTrue(found.get("torch").textValue().startsWith("2.13.0"), found.toString());
    assertEquals(1, found.get("openmp").size());
    assertEquals(found.get("threads"), found.get("threads_observed"));
  }
}
