package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What people get wrong: each has its exit code and its message, and leaves nothing half-written.
 */
class BadInputTest {
  @TempDir Path directory;
  private TinyRun run;
  private Path weights;

  @BeforeEach
  void write() throws IOException {
    run = TinyRun.in(directory);
    weights = run.model().resolve("model.safetensors");
  }

  /** A run that failed has no results, and no run may be taken for begun. */
  @AfterEach
  void nothingIsHalfWritten() {
    for (String product :
        new String[] {"adapter_config.json", "adapter_model.safetensors", "eval.json", "merged"}) {
      assertFalse(Files.exists(run.output().resolve(product)), product);
    }
  }

  private Path rows(String... lines) throws IOException {
    return Files.writeString(directory.resolve("train.jsonl"), String.join("\n", lines));
  }

  @Test
  void aModelThatIsNotThere() {
    run.train("model.path=" + directory.resolve("none")).failed(2, "none");
    Outcome.of("generate", "--model", directory.resolve("none.gguf"), "--prompt", "a")
        .failed(2, "none.gguf");
  }

  @Test
  void anEmptyWeightsFile() throws IOException {
    Files.write(weights, new byte[0]);
    run.train().failed(1, "model.safetensors");
    Outcome.of("inspect", weights).failed(1, "model.safetensors");
  }

  @Test
  void aTruncatedWeightsFile() throws IOException {
    try (FileChannel channel = FileChannel.open(weights, StandardOpenOption.WRITE)) {
      channel.truncate(channel.size() - 1000);
    }
    run.train().failed(1, "model.safetensors");
  }

  @Test
  void anEmptyAndATruncatedGguf() throws IOException {
    Path empty = Files.write(directory.resolve("empty.gguf"), new byte[0]);
    run.train("model.path=" + empty).failed(1, "empty.gguf");
    Path cut = Files.write(directory.resolve("cut.gguf"), new byte[] {'G', 'G', 'U', 'F', 3, 0});
    run.train("model.path=" + cut).failed(1, "cut.gguf");
  }

  @Test
  void aHeaderThatLies() throws IOException {
    ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel channel = FileChannel.open(weights, StandardOpenOption.WRITE)) {
      channel.write(length.putLong(0, 1L << 40), 0);
    }
    run.train().failed(1, "model.safetensors");
    Outcome.of("inspect", weights).failed(1, "model.safetensors");
  }

  @Test
  void aTensorThatIsMissingAndOneTooMany() throws IOException {
    byte[] bytes = Files.readAllBytes(weights);
    String header =
        new String(
            bytes,
            8,
            (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(0),
            StandardCharsets.UTF_8);
    String renamed = header.replace("layers.1.mlp.up_proj", "layers.1.mlp.xx_proj");
    assertTrue(!renamed.equals(header));
    System.arraycopy(renamed.getBytes(StandardCharsets.UTF_8), 0, bytes, 8, renamed.length());
    Files.write(weights, bytes);
    run.train().failed(1, "layers.1.mlp.up_proj.weight");
  }

  @Test
  void anUnknownModelType() throws IOException {
    Path config = run.model().resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("\"llama\"", "\"lama\""));
    run.train().failed(2, "lama", "llama");
  }

  @Test
  void anAdapterOfAnotherBase() throws IOException {
    Path other = TinyModel.save(directory.resolve("wide"), Map.of("hidden_size", 128));
    run.train("training.max_steps=1", "output_dir=" + directory.resolve("narrow")).succeeded();
    Outcome.of(
            "generate", "--model", other, "--adapter", directory.resolve("narrow"), "--prompt", "a")
        .failed(1, "[64, 8]", "[128, 8]", "another base");
    Outcome.of(
            "merge",
            "--model",
            other,
            "--adapter",
            directory.resolve("narrow"),
            "--out",
            directory.resolve("both"))
        .failed(1, "another base");
    assertFalse(Files.exists(directory.resolve("both")));
  }

  @Test
  void aKeyThatIsUnknownAndOneOfAWrongType() {
    run.train("training.learning_rte=1").failed(2, "learning_rte", "learning_rate");
    run.train("data.max_length=long").failed(2, "data.max_length", "not a whole number");
    assertFalse(Files.exists(run.output()));
  }

  @Test
  void anEmptyDataSet() throws IOException {
    rows("", "  ");
    run.train().failed(1, "train.jsonl", "has no rows");
    assertFalse(Files.exists(run.output()));
  }

  @Test
  void aRowWithoutAnAnswer() throws IOException {
    rows("{\"instruction\": \"a\", \"output\": \"b\"}", "{\"instruction\": \"c\"}");
    run.train().failed(1, "train.jsonl, line 2", "has no answer", "'output'");
    assertFalse(Files.exists(run.output()));
  }

  @Test
  void rowsWithNothingToLearnLeft() {
    run.train("data.max_length=8").failed(1, "26 rows", "max_length 8", "raise max_length");
  }

  @Test
  void anOutputThatCannotBeWritten() {
    run.train("output_dir=" + directory.resolve("train.jsonl/out")).failed(1, "cannot write");
    run.train("output_dir=" + directory.resolve("train.jsonl")).failed(2, "is a file");
  }

  @Test
  void aLossThatIsNotANumber() {
    run.train("training.learning_rate=1e30", "training.max_grad_norm=0")
        .failed(1, "step", "learning_rate");
  }

  @Test
  void aDirectoryThatIsNoAdapter() {
    Outcome.of(
            "eval",
            "--model",
            run.model(),
            "--adapter",
            run.model(),
            "--data",
            directory.resolve("eval.jsonl"))
        .failed(1, "adapter_config.json");
  }
}
