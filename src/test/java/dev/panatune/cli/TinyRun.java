package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A run of the tiny model that a test starts from.
 *
 * @param model the model's directory
 * @param file the run file
 * @param output where it saves to
 */
record TinyRun(Path model, Path file, Path output) {

  /** Writes the model, the rows and the run file. */
  static TinyRun in(Path directory) throws IOException {
    Path model = TinyModel.save(directory.resolve("model"));
    TinyModel.rows(directory.resolve("train.jsonl"), 26);
    TinyModel.rows(directory.resolve("eval.jsonl"), 10);
    Path output = directory.resolve("out");
    Path file =
        Files.writeString(
            directory.resolve("run.yaml"),
            """
            model: {path: "%s"}
            peft: {r: 8, lora_alpha: 16, target_modules: all-linear, lora_dropout: 0.1}
            data: {train: train.jsonl, eval: eval.jsonl, max_length: 64}
            training:
              max_steps: 12
              per_device_train_batch_size: 4
              gradient_accumulation_steps: 2
              learning_rate: 0.02
              eval_strategy: steps
              eval_steps: 12
              logging_steps: 3
              save_steps: 4
              disable_tqdm: true
            output_dir: "%s"
            """
                .formatted(model, output));
    return new TinyRun(model, file, output);
  }

  /** Runs it with some keys changed. */
  Outcome train(String... overrides) {
    return train(List.of(), overrides);
  }

  /** Runs it with further arguments, and some keys changed. */
  Outcome train(List<String> further, String... overrides) {
    List<Object> arguments = new ArrayList<>(List.of("train", file, "--threads", "1"));
    arguments.addAll(further);
    for (String override : overrides) {
      arguments.add("--set");
      arguments.add(override);
    }
    return Outcome.of(arguments.toArray());
  }

  /**
   * Asserts that the run, when its last checkpoint and its result are lost, ends in the same bits.
   */
  void resumesToTheSameBits(String weights, String... overrides) throws IOException {
    byte[] whole = Files.readAllBytes(output.resolve(weights));
    TrainCommandTest.deleteTree(output.resolve("checkpoint-12"));
    Files.delete(output.resolve(weights));
    train(List.of("--resume", "auto"), overrides).succeeded();
    assertArrayEquals(whole, Files.readAllBytes(output.resolve(weights)));
  }

  /** A JSON file of the output. */
  JsonNode json(String name) throws IOException {
    return new ObjectMapper().readTree(output.resolve(name).toFile());
  }

  /** The log's lines. */
  List<JsonNode> log() throws IOException {
    ObjectMapper json = new ObjectMapper();
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(output.resolve("trainer_log.jsonl"))) {
      lines.add(json.readTree(line));
    }
    return lines;
  }
}
