package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import dev.panatune.format.Inspection;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.text.Tokenizer;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** A directory from outside whose files are links to what is outside of it. */
class LinksThatLeadOutTest {
  @TempDir private Path parent;
  private Path directory;

  private static Path resource(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(LinksThatLeadOutTest.class.getResource("/" + name)).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  @BeforeEach
  void makeTheDirectory() throws IOException {
    directory = Files.createDirectory(parent.resolve("model"));
  }

  /** Copies a file, or leaves a link to the copy outside. */
  private void put(Path source, String name, boolean link) throws IOException {
    Path copy = (link ? parent : directory).resolve(name);
    Files.copy(source, copy);
    if (link) {
      Files.createSymbolicLink(directory.resolve(name), copy);
    }
  }

  private static void refused(String file, Executable reading) {
    String message = assertThrows(FormatException.class, reading).getMessage();
    assertTrue(message.contains("leads out") && message.contains(file), message);
  }

  @Test
  void weightsAreRefused() throws IOException {
    Path source = resource("families/llama");
    put(source.resolve("config.json"), "config.json", false);
    put(source.resolve("model.safetensors"), "model.safetensors", true);
    refused(
        "model.safetensors", () -> PretrainedModel.load(directory, LoadOptions.stored()).close());
    refused("model.safetensors", () -> Inspection.of(directory));
  }

  @Test
  void theConfigurationIsRefused() throws IOException {
    Path source = resource("families/llama");
    put(source.resolve("config.json"), "config.json", true);
    put(source.resolve("model.safetensors"), "model.safetensors", false);
    refused("config.json", () -> PretrainedModel.load(directory, LoadOptions.stored()).close());
  }

  @Test
  void anAdapterIsRefused() throws IOException {
    put(resource("families/llama/adapter/adapter_config.json"), "adapter_config.json", true);
    refused("adapter_config.json", () -> AdapterFiles.readConfig(directory));
  }

  @Test
  void tokenizersAndTemplatesAreRefused() throws IOException {
    Path source = resource("parity/untied");
    put(source.resolve("tokenizer.json"), "tokenizer.json", false);
    assertDoesNotThrow(() -> Tokenizer.fromFile(directory).close());
    Files.writeString(parent.resolve("secret"), "{{ messages }}");
    Files.createSymbolicLink(directory.resolve("chat_template.jinja"), parent.resolve("secret"));
    refused("chat_template.jinja", () -> Tokenizer.fromFile(directory).close());
    Files.delete(directory.resolve("chat_template.jinja"));
    put(source.resolve("tokenizer_config.json"), "tokenizer_config.json", true);
    refused("tokenizer_config.json", () -> Tokenizer.fromFile(directory).close());
    Files.delete(directory.resolve("tokenizer_config.json"));
    Files.move(directory.resolve("tokenizer.json"), parent.resolve("tokenizer.json"));
    Files.createSymbolicLink(directory.resolve("tokenizer.json"), parent.resolve("tokenizer.json"));
    refused("tokenizer.json", () -> Tokenizer.fromFile(directory).close());
  }
}
