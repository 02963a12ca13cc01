package dev.panatune.run;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** The directory that a run writes to. */
final class OutputDirectory {
  /** What a run leaves there; an overwritten run starts without any of it. */
  private static final List<String> PRODUCTS =
      List.of(
          "adapter_config.json",
          "adapter_model.safetensors",
          "prompt_encoder.safetensors",
          "adapter.safetensors",
          "config.json",
          "generation_config.json",
          "model.safetensors",
          "model.safetensors.index.json",
          "tokenizer.json",
          "tokenizer_config.json",
          "chat_template.jinja",
          "README.md",
          "run.yaml",
          "trainer_log.jsonl",
          "loss.png",
          "eval.json",
          "merged");

  private OutputDirectory() {}

  /**
   * Makes the directory, and makes sure that it can be written to and holds no other run.
   *
   * @param overwrite whether to remove what an earlier run left there
   * @param resuming whether the run goes on with what is there
   * @throws ConfigurationException if it holds something and neither is asked for
   * @throws PanatuneException if it cannot be written to
   */
  static void prepare(Path directory, boolean overwrite, boolean resuming) {
    if (Files.exists(directory) && !Files.isDirectory(directory)) {
      throw new ConfigurationException("output_dir " + directory + " is a file; choose another");
    }
    try {
      if (!resuming && holdsAnything(directory)) {
        if (!overwrite) {
          throw new ConfigurationException(
              "output_dir %s is not empty: go on with the run in it (--resume auto), choose another"
                      .formatted(directory)
                  + " (--set output_dir=...), or replace it (--set overwrite_output_dir=true)");
        }
        removeProducts(directory);
      }
      Files.createDirectories(directory);
      Files.delete(Files.createTempFile(directory, ".writable", ""));
    } catch (IOException e) {
      throw new PanatuneException(
          "cannot write to output_dir %s (%s); choose another with --set output_dir=..."
              .formatted(directory, e),
          e);
    }
  }

  private static boolean holdsAnything(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return false;
    }
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.findAny().isPresent();
    }
  }

  private static void removeProducts(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      for (Path entry : entries.filter(OutputDirectory::isProduct).toList()) {
        try (Stream<Path> tree = Files.walk(entry)) {
          for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
            Files.delete(path);
          }
        }
      }
    }
  }

  private static boolean isProduct(Path entry) {
    String name = entry.getFileName().toString();
    return PRODUCTS.contains(name)
        || name.matches("checkpoint-\\d+")
        || name.matches("model-\\d+-of-\\d+\\.safetensors");
  }
}
